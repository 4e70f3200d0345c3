"""An HTTP/1.1 reverse-proxy engine: strict on both sides, streaming both ways, knowing nothing of users or routes."""
