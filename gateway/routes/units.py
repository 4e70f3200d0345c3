"""Sizes and addresses as the route file writes them."""

import re
from urllib.parse import urlsplit

from shared.relay.director import Target

_SIZE = re.compile(r"([0-9]+)\s*(B|KiB|MiB|GiB|)")
_BYTES = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def parse_size(text: str) -> int:
    """Bytes in `65536`, `64KiB`, `10MiB`, `1GiB`; raises ValueError."""
    form = _SIZE.fullmatch(text.strip())
    if form is None:
        raise ValueError(f"{text!r} is not a size such as 64KiB, 10MiB, 1GiB")
    return int(form[1]) * _BYTES[form[2]]


def parse_target(text: str) -> Target:
    """`http://host:port` or `unix:/path`; raises ValueError."""
    if text.startswith("unix:/"):
        return Target("localhost", 0, text.removeprefix("unix:"))
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{text!r} is not a target such as http://127.0.0.1:8080 or unix:/run/app.sock")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{text!r}: a target is scheme, host and port alone")
    return Target(parts.hostname, parts.port or 80)
