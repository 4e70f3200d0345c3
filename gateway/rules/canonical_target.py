"""The one form of a request target that is matched, limited, metered and forwarded alike.

Facts (RFC 3986 sections 2.3, 5.2.4, 6.2.2; contract "Canonical path"):
- `%7E` and `~` are the same character, so encoded unreserved characters are decoded before anything is compared.
- `%2F` is not `/`: decoding it would change the segments, keeping it lets two servers read two paths. It is refused.
- The query is opaque: it passes byte for byte, less `api_key`.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from gateway.errors import BadPath

_ORDINARY: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_ENCODED_RUN: Final = re.compile(r"(?:%[89A-F][0-9A-F])+")
_REFUSED_RAW: Final = re.compile(r"[\x00-\x20\x7f\\#]")
_SLASHES: Final = re.compile(r"/{2,}")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_REFUSED_ENCODED: Final = frozenset(b"/\\\x7f") | frozenset(range(0x20))


@dataclass(slots=True, init=False)
class CanonicalTarget:
    """`query` is None when the target has no question mark."""

    path: str
    query: str | None

    def __init__(self, path: str, query: str | None) -> None:
        self.path = path
        self.query = query

    def text(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"


def canonical_target(target: str) -> CanonicalTarget:
    """Splits an origin-form target (bytes above 0x7F read as Latin-1) and makes its path canonical; raises BadPath."""
    path, mark, query = target.partition("?")
    return CanonicalTarget(canonical_path(path), query if mark else None)


def canonical_path(path: str) -> str:
    """Idempotent; raises BadPath for a path that has no canonical form."""
    if "//" not in path and "/." not in path and _ORDINARY.fullmatch(path):
        return path
    if not path.startswith("/"):
        raise BadPath("The path must begin with a slash.")
    if _REFUSED_RAW.search(path):
        raise BadPath("The path has a character that must not appear in one.")
    decoded = _PERCENT.sub(_canonical_escape, _escape_raw_bytes(path))
    for run in _ENCODED_RUN.finditer(decoded):
        _require_utf8(bytes.fromhex(run[0].replace("%", "")))
    return _without_dot_segments(_SLASHES.sub("/", decoded))


def without_api_key(query: str | None) -> str | None:
    """The query less every `api_key` parameter, everything else byte for byte; None when nothing else was in it."""
    if query is None or not may_carry_api_key(query):
        return query
    kept = [part for part in query.split("&") if parameter_name(part) != "api_key"]
    return "&".join(kept) if kept else None


def api_keys_in(query: str | None) -> list[str]:
    """The decoded values of every `api_key` parameter."""
    if query is None or not may_carry_api_key(query):
        return []
    pairs = (part.partition("=") for part in query.split("&"))
    return [unquote_plus(value) for name, _, value in pairs if unquote_plus(name) == "api_key"]


def may_carry_api_key(query: str) -> bool:
    """A cheap first look: the name is there, or something encoded is that could spell it."""
    return "api_key" in query or "%" in query


def parameter_name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])


def _escape_raw_bytes(path: str) -> str:
    if path.isascii():
        return path
    try:
        raw = path.encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadPath("The path has a character that must not appear in one.") from error
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


def _canonical_escape(found: re.Match[str]) -> str:
    digits = found[1]
    if digits is None:
        raise BadPath("The path has a percent sign without two hexadecimal digits.")
    byte = int(digits, 16)
    if byte in _REFUSED_ENCODED:
        raise BadPath("The path has an encoded character that must not appear in one.")
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _require_utf8(raw: bytes) -> None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPath("The path is not valid UTF-8.") from error
    if any("\x80" <= character <= "\x9f" for character in text):
        raise BadPath("The path has an encoded control character.")


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise BadPath("The path leaves the root.")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
