"""What a request costs of which the gateway has no answer, only the upstream's word that it was performed.

It is priced by its route's metering expression like any other, with the status and the event type that the upstream tells. What
nobody knows any more (headers, sizes) is empty or 0. Without an event type, or without the route, there is nothing to price: it costs 1.0.
"""

from collections.abc import Callable
from http import HTTPStatus

import structlog

from gateway.metering.inquiry import Performed
from gateway.metering.records import Intent
from gateway.routes.route import Route
from gateway.rules.pricing import price
from shared.identity import EVENT_TYPE

_UNKNOWN_COST = 1.0


class PerformedPrice:
    def __init__(self, find_route: Callable[[str], Route | None]) -> None:
        self._find_route = find_route
        self._log = structlog.get_logger("metering")

    def of(self, intent: Intent, answer: Performed) -> float:
        route = self._find_route(intent.route)
        if route is None or answer.event_type is None:
            return _UNKNOWN_COST
        known = _known(intent, answer, answer.event_type, route)
        priced = price(route.metering, status_of(answer), known.__getitem__)
        if priced.fault is not None:
            self._log.warning(
                "metering_expr_failed", route=route.name, request_id=intent.id, reason=priced.fault
            )
        return priced.cost


def status_of(answer: Performed) -> int:
    return answer.status or HTTPStatus.OK


def _known(intent: Intent, answer: Performed, event_type: str, route: Route) -> dict[str, object]:
    """By the names of `gateway.rules.expressions.VARIABLES`."""
    return {
        "status": status_of(answer),
        "method": intent.method,
        "path": intent.path,
        "request_bytes": 0,
        "response_bytes": 0,
        "latency_ms": 0.0,
        "user_id": intent.user_id,
        "org_id": intent.org_id,
        "plan_id": intent.plan_id,
        "key_id": intent.key_id,
        "route": intent.route,
        "params": dict(route.pattern.match(intent.path) or {}),
        "request_headers": {},
        "response_headers": {EVENT_TYPE.lower(): event_type},
    }
