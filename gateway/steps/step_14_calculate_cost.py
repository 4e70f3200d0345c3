"""Step 14: what the request costs, from the route's metering expression."""

from dataclasses import dataclass
from typing import Final

import structlog

from gateway.rules.pricing import price
from gateway.steps.step_09_match_route import Bound
from gateway.steps.variables import Variables
from shared.identity import EVENT_TYPE
from shared.relay.director import Outcome, ResponseHead

_EVENT_TYPE: Final = EVENT_TYPE.lower().encode()
_LONGEST_EVENT_TYPE: Final = 100


@dataclass(slots=True, init=False)
class Priced:
    cost: float
    event_type: str | None

    def __init__(self, cost: float, event_type: str | None) -> None:
        self.cost = cost
        self.event_type = event_type


def calculate_cost(bound: Bound, head: ResponseHead | None, outcome: Outcome) -> Priced:
    route = bound.match.route
    priced = price(route.metering, outcome.status, Variables(bound, head, outcome))
    if priced.fault is not None:
        structlog.get_logger("metering").warning(
            "metering_expr_failed",
            route=route.name,
            request_id=bound.match.head.request_id,
            reason=priced.fault,
        )
    return Priced(priced.cost, _event_type(head))


def _event_type(head: ResponseHead | None) -> str | None:
    if head is None:
        return None
    for name, value in head.fields:
        if len(name) == len(_EVENT_TYPE) and name.lower() == _EVENT_TYPE:
            return value.decode("latin-1")[:_LONGEST_EVENT_TYPE] or None
    return None
