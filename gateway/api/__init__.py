"""The control app: accounts, keys, usage and the operator's views, as JSON over HTTP."""
