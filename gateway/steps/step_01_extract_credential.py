"""Step 1: find the one credential of the request."""

from dataclasses import dataclass
from typing import Final

from gateway.accounts.key_format import PREFIX
from gateway.errors import ConflictingCredentials, MissingCredentials
from gateway.routes.table import Match
from gateway.rules.canonical_target import api_keys_in
from gateway.rules.field_fates import FATES, Fate

_BEARER: Final = b"bearer "
_MOST_KEPT: Final = 1024
_LONGEST_KEPT: Final = 2048


@dataclass(slots=True, init=False)
class Presented:
    """What the client presented. Only `Authorization` may carry either kind; the other places are for API keys."""

    text: str
    must_be_key: bool

    def __init__(self, text: str, must_be_key: bool) -> None:  # noqa: FBT001 - in the order of the members
        self.text = text
        self.must_be_key = must_be_key


def extract_credential(match: Match) -> Presented:
    """Raises MissingCredentials, ConflictingCredentials. The same credential given twice is one."""
    found: list[Presented] = []
    for field in match.head.fields:
        if FATES[field[0]] is Fate.CREDENTIAL:
            presented = _presented(field[0].lower(), field[1])
            if presented is not None:
                found.append(presented)
    if match.target.query is not None:
        found += [Presented(text, must_be_key=True) for text in api_keys_in(match.target.query) if text]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MissingCredentials
    if any(other.text != found[0].text for other in found):
        raise ConflictingCredentials
    return next((presented for presented in found if presented.must_be_key), found[0])


_SEEN: Final[dict[bytes, Presented]] = {}
"""The last tokens: who presents one does so with every request. Not API keys, which are kept nowhere."""


def _bearer(value: bytes) -> Presented | None:
    text = value[len(_BEARER) :].strip()
    if not text or value[: len(_BEARER)].lower() != _BEARER:
        return None
    presented = Presented(text.decode("latin-1"), must_be_key=False)
    if len(text) <= _LONGEST_KEPT and not presented.text.startswith(PREFIX):
        if len(_SEEN) >= _MOST_KEPT:
            del _SEEN[next(iter(_SEEN))]
        _SEEN[value] = presented
    return presented


def _presented(lowered: bytes, value: bytes) -> Presented | None:
    """Names count as they are spelled here: what is only read as one of them (`x_api_key`) presents nothing."""
    if lowered == b"authorization":
        presented = _SEEN.get(value)
        return _bearer(value) if presented is None else presented
    if lowered == b"x-api-key" and value:
        return Presented(value.decode("latin-1"), must_be_key=True)
    return None
