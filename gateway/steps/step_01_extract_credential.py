"""Step 1: find the one credential of the request."""

from dataclasses import dataclass
from typing import Final

from gateway.errors import ConflictingCredentials, MissingCredentials
from gateway.routes.table import Match
from gateway.rules.canonical_target import api_keys_in
from gateway.rules.field_fates import FATES, Fate

_BEARER: Final = b"bearer "


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


def _presented(lowered: bytes, value: bytes) -> Presented | None:
    """Names count as they are spelled here: what is only read as one of them (`x_api_key`) presents nothing."""
    if lowered == b"authorization":
        text = value[len(_BEARER) :].strip()
        if text and value[: len(_BEARER)].lower() == _BEARER:
            return Presented(text.decode("latin-1"), must_be_key=False)
    elif lowered == b"x-api-key" and value:
        return Presented(value.decode("latin-1"), must_be_key=True)
    return None
