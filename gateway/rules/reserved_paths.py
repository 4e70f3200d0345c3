"""The gateway's own paths, which come before the route table (contract "Reserved paths")."""

from typing import Final

RESERVED: Final = frozenset(("/health", "/stats", "/metrics", "/.well-known/jwks.json"))
RESERVED_PREFIX: Final = "/mod/"
