"""The compact form of a token (RFC 7515 section 3.1), taken at its word: one text has one meaning, or none.

Facts: JSON parsers differ in what they make of a member that occurs twice (RFC 8259 section 4), and RFC 7515 section 4 and RFC 7519
section 4 let a reader refuse such an object. Base64 has several spellings of the same bytes: padding, and the unused bits of the last
character.
"""

import base64
import json
import re
from typing import NoReturn

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class NotCompact(ValueError):
    """The text is no token, or one with two meanings."""


def header_and_payload(text: str) -> tuple[dict[str, object], dict[str, object]]:
    """Unverified. Raises NotCompact."""
    parts = _COMPACT.fullmatch(text)
    if parts is None:
        raise NotCompact("not three parts of base64url")
    header, payload, _ = (_bytes(part) for part in parts.groups())
    return _object(header), _object(payload)


def _bytes(part: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise NotCompact("not base64url") from error
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != part:
        raise NotCompact("not the one spelling of these bytes")
    return content


def _object(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotCompact("not JSON") from error
    if not isinstance(found, dict):
        raise NotCompact("not a JSON object")
    return found


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotCompact("a member occurs twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotCompact(f"{name} is not JSON")
