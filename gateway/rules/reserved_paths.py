"""The gateway's own paths, which come before the route table (contract "Reserved paths")."""

RESERVED = frozenset(("/health", "/stats", "/metrics", "/.well-known/jwks.json"))
RESERVED_PREFIX = "/mod/"
