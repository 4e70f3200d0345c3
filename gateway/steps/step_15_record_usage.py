"""Step 15: record what was used, before the last byte of the answer.

| what was seen                       | what is recorded                                               |
|-------------------------------------|----------------------------------------------------------------|
| nothing reached the upstream        | no event; the reservation is released                          |
| a response head                     | an event at its cost; cost 0 releases the reservation          |
| sent, and no response head          | whatever the upstream says it did, asked by the inquiry        |
"""

from gateway.metering.meter import Inquire, Meter
from gateway.metering.records import Intent, Result, Void
from gateway.routes.route import Upstream
from gateway.steps.step_14_calculate_cost import Priced
from shared.relay.director import Outcome


def record_usage(
    intent: Intent,
    outcome: Outcome,
    priced: Priced | None,
    upstream: Upstream,
    meter: Meter,
    inquire: Inquire,
) -> None:
    """`priced` is None when there was no response head."""
    if not outcome.reached_upstream:
        meter.end(intent, Void(intent.id))
    elif priced is not None:
        meter.end(intent, _result(intent, outcome, priced))
    else:
        unseen = _result(intent, outcome, Priced(0.0, None))
        if upstream.reconcile is None:
            meter.end(intent, unseen)
        else:
            inquire(intent, unseen)


def _result(intent: Intent, outcome: Outcome, priced: Priced) -> Result:
    return Result(
        id=intent.id,
        status=outcome.status,
        event_type=priced.event_type,
        cost=priced.cost,
        latency_ms=round(outcome.latency_ms, 3),
        request_bytes=outcome.request_bytes,
        response_bytes=outcome.response_bytes,
    )
