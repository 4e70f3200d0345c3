"""Step 13: the fields that go back to the client: the upstream's, the route's own edits, and where the user stands."""

from collections.abc import Sequence
from typing import Final

from gateway.metering.books import remaining
from gateway.steps.field_edits import edited
from gateway.steps.step_09_match_route import Bound
from gateway.steps.variables import Variables
from shared.relay.director import Field, ResponseHead
from shared.relay.fields import Remembered

_MOST_REMEMBERED: Final = 256


def transform_response(bound: Bound, head: ResponseHead, now: float) -> Sequence[Field]:
    edits = bound.match.route.response_edits
    fields: Sequence[Field] = head.fields
    if not edits.are_none:
        fields = edited(fields, edits, Variables(bound, head), bound.match.route.name)
    own = standing_fields(bound, now)
    return [*fields, *own] if own else fields


def standing_fields(bound: Bound, now: float) -> list[Field]:
    """`X-Quota-*` and `X-RateLimit-*` of a billed request; resets in Unix seconds."""
    admitted = bound.entitled.admitted if bound.entitled is not None else None
    if admitted is None or admitted.standing is None:
        return []
    claim, standing = admitted.claim, admitted.standing
    limit, used = claim.quota_limit, standing.quota_used
    return [
        _said_again(b"X-Quota-Limit", limit),
        (b"X-Quota-Used", _digits(used)),
        _said_again(b"X-Quota-Remaining", -1)
        if limit < 0
        else (b"X-Quota-Remaining", _digits(remaining(limit, used))),
        _said_again(b"X-Quota-Reset", claim.period.ends_at),
        _said_again(b"X-RateLimit-Limit", claim.rate_per_minute),
        (b"X-RateLimit-Remaining", _digits(standing.rate_remaining)),
        _said_again(b"X-RateLimit-Reset", int(now + standing.rate_resets_in)),
    ]


def _digits(number: int) -> bytes:
    return str(number).encode("ascii")


_SAID: Final[Remembered[tuple[bytes, int], Field]] = Remembered(_MOST_REMEMBERED)


def _said_again(name: bytes, number: int) -> Field:
    """A field that many answers have alike: a limit, or a second."""
    field = _SAID.find((name, number))
    if field is None:
        field = (name, _digits(number))
        _SAID.keep((name, number), field, (field,))
    return field
