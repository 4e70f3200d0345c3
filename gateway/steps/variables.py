"""The CEL variables of a request, and of its response once there is one. Each is computed only when it is asked for."""

from collections.abc import Callable, Sequence

from gateway.steps.step_09_match_route import Bound
from shared.relay.director import Field, Outcome, ResponseHead

Variables = dict[str, Callable[[], object]]


def request_variables(bound: Bound) -> Variables:
    match = bound.match
    identity = bound.entitled.identity if bound.entitled is not None else None
    return {
        "method": lambda: match.head.method,
        "path": lambda: match.target.path,
        "request_bytes": lambda: match.head.content_length or 0,
        "route": lambda: match.route.name,
        "params": lambda: dict(match.params),
        "request_headers": lambda: lowered(match.head.fields),
        "user_id": lambda: identity.user_id if identity else "",
        "org_id": lambda: identity.org_id if identity else "",
        "plan_id": lambda: identity.plan_id if identity else "",
        "key_id": lambda: identity.key_id if identity else "",
        "status": lambda: 0,
        "response_bytes": lambda: 0,
        "latency_ms": lambda: 0.0,
        "response_headers": dict,
    }


def response_variables(bound: Bound, head: ResponseHead) -> Variables:
    return request_variables(bound) | {
        "status": lambda: head.status,
        "response_headers": lambda: lowered(head.fields),
    }


def outcome_variables(bound: Bound, head: ResponseHead | None, outcome: Outcome) -> Variables:
    return request_variables(bound) | {
        "status": lambda: outcome.status,
        "response_headers": lambda: lowered(head.fields) if head is not None else {},
        "request_bytes": lambda: outcome.request_bytes,
        "response_bytes": lambda: outcome.response_bytes,
        "latency_ms": lambda: outcome.latency_ms,
    }


def lowered(fields: Sequence[Field]) -> dict[str, str]:
    """Names in lower case; repeated fields joined as RFC 9110 section 5.3 allows."""
    joined: dict[str, str] = {}
    for name, value in fields:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
