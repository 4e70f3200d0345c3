"""Step 13: the fields that go back to the client: the upstream's, the route's own edits, and where the user stands."""

from collections.abc import Sequence

from gateway.counters.port import Admitted
from gateway.metering.books import remaining
from gateway.steps.field_edits import edited
from gateway.steps.step_07_check_rate_limit import AdmittedUser
from gateway.steps.step_09_match_route import Bound
from gateway.steps.variables import Variables
from shared.relay.director import Field, ResponseHead


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
    return _quota_fields(admitted, admitted.standing) + _rate_fields(admitted, admitted.standing, now)


def _quota_fields(admitted: AdmittedUser, standing: Admitted) -> list[Field]:
    limit, used = admitted.claim.quota_limit, standing.quota_used
    return [
        (b"X-Quota-Limit", str(limit).encode()),
        (b"X-Quota-Used", str(used).encode()),
        (b"X-Quota-Remaining", str(remaining(limit, used)).encode()),
        (b"X-Quota-Reset", str(int(admitted.claim.period.ends_at)).encode()),
    ]


def _rate_fields(admitted: AdmittedUser, standing: Admitted, now: float) -> list[Field]:
    return [
        (b"X-RateLimit-Limit", str(admitted.claim.rate_per_minute).encode()),
        (b"X-RateLimit-Remaining", str(standing.rate_remaining).encode()),
        (b"X-RateLimit-Reset", str(int(now + standing.rate_resets_in)).encode()),
    ]
