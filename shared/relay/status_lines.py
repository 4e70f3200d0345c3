"""Status lines, made once. The upstream's reason phrase is not passed on: it means nothing (RFC 9112 section 4)."""

from http import HTTPStatus
from typing import Final

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

STATUS_LINES: Final[tuple[bytes, ...]] = tuple(
    f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(600)
)
"""Indexed by status; the entries below 100 are never used."""
