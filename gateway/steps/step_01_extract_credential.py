"""Step 1: find the one credential of the request."""

from dataclasses import dataclass

from gateway.errors import ConflictingCredentials, MissingCredentials
from gateway.routes.table import Match
from gateway.rules.canonical_target import api_keys_in


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
    for name, value in match.head.fields:
        lowered = name.lower()
        if lowered == b"authorization":
            scheme, _, text = value.partition(b" ")
            if scheme.lower() == b"bearer" and text.strip():
                found.append(Presented(text.strip().decode("latin-1"), must_be_key=False))
        elif lowered == b"x-api-key" and value:
            found.append(Presented(value.decode("latin-1"), must_be_key=True))
    if match.target.query is not None:
        found += [Presented(text, must_be_key=True) for text in api_keys_in(match.target.query) if text]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MissingCredentials
    if any(other.text != found[0].text for other in found):
        raise ConflictingCredentials
    return next((presented for presented in found if presented.must_be_key), found[0])
