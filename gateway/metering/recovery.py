"""Requests whose end nobody saw are settled by asking the upstream whether it performed them.

That is every intent which a killed process left open, and every request which reached its upstream but got no response head (a
reset, a timeout, a client that left). Performed: there is an event at its price. Not performed: the reservation is released.

Rules:
- "Not performed" ends a request only when it is true for good. An upstream that can cancel a request says so (see `inquiry`). Of any
  other it is believed when the request can no longer be under way there: `response_timeout` and `SLACK_S` after its connection
  was last seen open, which is before we began to ask. After a restart that time begins anew, so it is never too short; until it
  is over the intent stays in the journal, and its unit of quota stays reserved.
- An upstream that cannot be reached is asked again, with back-off, for as long as it takes.
- An upstream without a `reconcile` path (or one that is no longer in the route file) cannot be asked. Whether a request that a
  killed process left open was performed is then not known, so it is recorded, and nobody pays for it: an event of status 0 and
  cost 0, and a warning in the log. What was performed has its event, and what was not costs nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.metering.inquiry import Answer, Inquiry, NotYet, Performed, Unanswered
from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.performed_price import PerformedPrice, status_of
from gateway.metering.records import Ended, Intent, Result, Void, result_of
from gateway.routes.route import Upstream
from shared.clock import Clock

SLACK_S = 2.0
_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 4.0
_TURN_S = 0.1
_AT_ONCE = 16


@dataclass(slots=True)
class _Question:
    """`seen` is what the gateway saw of the request, None when it was killed meanwhile. `since` and `due` are monotonic."""

    intent: Intent
    seen: Result | None
    since: float
    due: float
    delay: float = _FIRST_DELAY_S


class Recovery:
    def __init__(
        self,
        meter: Meter,
        ledger: Ledger,
        inquiry: Inquiry,
        find_upstream: Callable[[str], Upstream | None],
        price: PerformedPrice,
        clock: Clock,
        slack_s: float = SLACK_S,
    ) -> None:
        self._meter = meter
        self._ledger = ledger
        self._inquiry = inquiry
        self._find_upstream = find_upstream
        self._price = price
        self._clock = clock
        self._slack_s = slack_s
        self._questions: list[_Question] = []
        self._silent: set[str] = set()
        self._log = structlog.get_logger("recovery")
        self.recovered = 0

    @property
    def pending(self) -> int:
        return len(self._questions)

    def inquire(self, intent: Intent, seen: Result | None) -> None:
        """The request will be ended here."""
        now = self._clock.monotonic()
        self._questions.append(_Question(intent, seen, since=now, due=now))

    async def begin(self, left_open: Sequence[Intent]) -> None:
        """At start: everything the journal left open."""
        await self.take_over([(intent, None) for intent in left_open])

    async def take_over(self, left: Sequence[tuple[Intent, Result | None]]) -> None:
        """What the ledger has already is ended as it stands there; the rest is asked for."""
        recorded = {event.id: event for event in await self._ledger.find([intent.id for intent, _ in left])}
        for intent, seen in left:
            event = recorded.get(intent.id)
            if event is None:
                self.inquire(intent, seen)
            else:
                self._meter.end(intent, result_of(event))

    async def run(self) -> None:
        """Asks what is due. Runs until cancelled."""
        while True:
            now = self._clock.monotonic()
            due = [question for question in self._questions if question.due <= now][:_AT_ONCE]
            await asyncio.gather(*(self._settle(question) for question in due))
            await asyncio.sleep(0 if len(due) == _AT_ONCE else _TURN_S)

    async def _settle(self, question: _Question) -> None:
        upstream = self._find_upstream(question.intent.upstream)
        if upstream is None or upstream.reconcile is None:
            self._log.warning(
                "request_cannot_be_reconciled", request_id=question.intent.id, route=question.intent.route
            )
            self._end(question, question.seen if question.seen is not None else _unknown(question.intent))
            return
        asked_at = self._clock.monotonic()
        try:
            answer = await self._inquiry.ask(upstream, question.intent.id)
        except Unanswered as error:
            self._note_silence(upstream, str(error))
            self._again(question, question.delay)
        else:
            self._silent.discard(upstream.name)
            over_at = question.since + upstream.spec.response_timeout + self._slack_s
            if isinstance(answer, NotYet) and asked_at < over_at:
                self._again(question, min(question.delay, over_at - asked_at))
            else:
                self._end(question, self._ended(question, answer))

    def _note_silence(self, upstream: Upstream, error: str) -> None:
        """Once, however many questions wait for it."""
        if upstream.name not in self._silent:
            self._silent.add(upstream.name)
            self._log.warning(
                "reconcile_unanswered", upstream=upstream.name, error=error, waiting=len(self._questions)
            )

    def _ended(self, question: _Question, answer: Answer) -> Ended:
        intent, seen = question.intent, question.seen
        if isinstance(answer, Performed):
            return _performed_result(intent, seen, answer, self._price.of(intent, answer))
        return seen if seen is not None else Void(intent.id)

    def _again(self, question: _Question, delay_s: float) -> None:
        question.due = self._clock.monotonic() + delay_s
        question.delay = min(question.delay * 2, _LONGEST_DELAY_S)

    def _end(self, question: _Question, ended: Ended) -> None:
        self._questions.remove(question)
        self.recovered += 1
        self._meter.end(question.intent, ended)


def _performed_result(intent: Intent, seen: Result | None, answer: Performed, cost: float) -> Result:
    if seen is not None:
        return replace(seen, event_type=answer.event_type, cost=cost)
    return replace(_unknown(intent), status=status_of(answer), event_type=answer.event_type, cost=cost)


def _unknown(intent: Intent) -> Result:
    return Result(
        id=intent.id, status=0, event_type=None, cost=0.0, latency_ms=0.0, request_bytes=0, response_bytes=0
    )
