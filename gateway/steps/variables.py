"""The CEL variables of a request, and of its response once there is one. Each is computed only when it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.steps.step_09_match_route import Bound
from shared.identity import ANONYMOUS, Identity
from shared.relay.director import Field, Outcome, ResponseHead


@dataclass(slots=True, init=False)
class Variables:
    """A `gateway.rules.expressions.Source`. `response` and `outcome` are None as long as there is none."""

    bound: Bound
    response: ResponseHead | None = None
    outcome: Outcome | None = None

    def __init__(
        self, bound: Bound, response: ResponseHead | None = None, outcome: Outcome | None = None
    ) -> None:
        self.bound = bound
        self.response = response
        self.outcome = outcome

    def __call__(self, name: str) -> object:
        return _READERS[name](self)

    @property
    def identity(self) -> Identity:
        return self.bound.entitled.identity if self.bound.entitled is not None else ANONYMOUS

    @property
    def status(self) -> int:
        if self.outcome is not None:
            return self.outcome.status
        return self.response.status if self.response is not None else 0

    @property
    def request_bytes(self) -> int:
        if self.outcome is not None:
            return self.outcome.request_bytes
        return self.bound.match.head.content_length or 0


_READERS: Final[dict[str, Callable[[Variables], object]]] = {
    "method": lambda of: of.bound.match.head.method,
    "path": lambda of: of.bound.match.target.path,
    "route": lambda of: of.bound.match.route.name,
    "params": lambda of: dict(of.bound.match.params),
    "request_headers": lambda of: lowered(of.bound.match.head.fields),
    "response_headers": lambda of: lowered(of.response.fields) if of.response is not None else {},
    "user_id": lambda of: of.identity.user_id,
    "org_id": lambda of: of.identity.org_id,
    "plan_id": lambda of: of.identity.plan_id,
    "key_id": lambda of: of.identity.key_id,
    "status": lambda of: of.status,
    "request_bytes": lambda of: of.request_bytes,
    "response_bytes": lambda of: of.outcome.response_bytes if of.outcome is not None else 0,
    "latency_ms": lambda of: of.outcome.latency_ms if of.outcome is not None else 0.0,
}


def lowered(fields: Sequence[Field]) -> dict[str, str]:
    """Names in lower case; repeated fields joined as RFC 9110 section 5.3 allows."""
    joined: dict[str, str] = {}
    for name, value in fields:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
