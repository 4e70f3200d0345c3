"""The API described as OpenAPI 3.1, from the routes, the bodies they read and the answers they give."""
