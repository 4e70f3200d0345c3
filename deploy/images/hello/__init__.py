"""The `hello` app: the smallest image that shows a deployment working, built without any image registry."""
