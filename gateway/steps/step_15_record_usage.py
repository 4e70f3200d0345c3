"""Step 15: record what was used, before the last byte of the answer.

| what was seen                  | what is recorded                                                   |
|--------------------------------|--------------------------------------------------------------------|
| nothing reached the upstream   | no event; the reservation is released                              |
| a response head                | an event at its cost; cost 0 releases the reservation              |
| sent, and no response head     | what the upstream says it did, where it can be asked; else as above |
"""

from dataclasses import dataclass

from gateway.metering.meter import Inquire, Meter
from gateway.metering.records import Intent, Result, Void
from gateway.routes.route import Upstream
from gateway.steps.step_14_calculate_cost import Priced
from shared.relay.director import Outcome


@dataclass(slots=True, init=False)
class Ended:
    """`answered` tells whether the upstream gave a response head."""

    outcome: Outcome
    answered: bool

    def __init__(self, outcome: Outcome, *, answered: bool) -> None:
        self.outcome = outcome
        self.answered = answered


def record_usage(
    intent: Intent, ended: Ended, priced: Priced, upstream: Upstream, meter: Meter, inquire: Inquire
) -> None:
    outcome = ended.outcome
    if not outcome.reached_upstream:
        meter.end(intent, Void(intent.id))
    elif ended.answered or upstream.reconcile is None:
        meter.end(intent, _result(intent, outcome, priced))
    else:
        inquire(intent, _result(intent, outcome, Priced(0.0, None)))


def _result(intent: Intent, outcome: Outcome, priced: Priced) -> Result:
    return Result(
        id=intent.id,
        status=outcome.status,
        event_type=priced.event_type,
        cost=priced.cost,
        latency_ms=int(outcome.latency_ms * 1000.0 + 0.5) / 1000.0,
        request_bytes=outcome.request_bytes,
        response_bytes=outcome.response_bytes,
    )
