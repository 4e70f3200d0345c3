"""Requests whose end nobody saw are settled by asking the upstream whether it performed them.

That is every intent which a killed process left open, and every request which reached its upstream but got no response head (a
reset, a timeout, a client that left). Performed: there is an event, at cost 1. Not performed: the reservation is released.

Rules:
- "Not performed" is believed only when the request is older than `grace_s`: a younger one may still be on its way there.
- An upstream that cannot be reached is asked again, with back-off, for as long as it takes. The intent stays in the journal.
- An upstream without a `reconcile` path cannot be asked: the request is taken as not performed, and that is logged.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

import structlog

from gateway.metering.ledger import Ledger
from gateway.metering.meter import Meter
from gateway.metering.records import Intent, Result, Void, result_of
from gateway.routes.route import Upstream
from gateway.upstream_client import Reply, UpstreamClient, UpstreamUnreachable
from shared.clock import Clock
from shared.config import Secret
from shared.identity import ANONYMOUS, REQUEST_ID, SIGNATURE, SignedRequest, sign

GRACE_S = 2.0
PERFORMED_COST = 1.0
_ASK_WITHIN_S = 5.0
_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 15.0
_TURN_S = 0.1
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Performed:
    event_type: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class NotPerformed:
    pass


Answer = Performed | NotPerformed


class Unanswered(Exception):
    """The upstream did not say; it has to be asked again."""


@dataclass(slots=True)
class _Question:
    """`seen` is what the gateway saw of the request, None when it was killed meanwhile."""

    intent: Intent
    seen: Result | None
    due: float
    delay: float = _FIRST_DELAY_S


class Inquiry:
    """Asks one upstream about one request, in the gateway's own name."""

    def __init__(
        self, client: UpstreamClient, secret: Secret, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._client = client
        self._secret = secret
        self._clock = clock
        self._new_id = new_id

    async def ask(self, upstream: Upstream, request_id: str) -> Answer:
        """Raises Unanswered."""
        path = (upstream.reconcile or "").replace("{request_id}", request_id)
        failure = "no target"
        for target in upstream.spec.targets:
            own_id = self._new_id()
            signed = SignedRequest("GET", path, own_id)
            signature = sign(self._secret.reveal(), ANONYMOUS, signed, int(self._clock.now()))
            headers = {REQUEST_ID: own_id, SIGNATURE: signature}
            try:
                return _answer(await self._client.get(target, path, headers, _ASK_WITHIN_S))
            except (UpstreamUnreachable, Unanswered) as error:
                failure = str(error)
        raise Unanswered(failure)


class Recovery:
    def __init__(
        self,
        meter: Meter,
        ledger: Ledger,
        inquiry: Inquiry,
        find_upstream: Callable[[str], Upstream | None],
        clock: Clock,
        grace_s: float = GRACE_S,
    ) -> None:
        self._meter = meter
        self._ledger = ledger
        self._inquiry = inquiry
        self._find_upstream = find_upstream
        self._clock = clock
        self._grace_s = grace_s
        self._questions: list[_Question] = []
        self._log = structlog.get_logger("recovery")
        self.recovered = 0

    @property
    def pending(self) -> int:
        return len(self._questions)

    def inquire(self, intent: Intent, seen: Result | None) -> None:
        """The request will be ended here."""
        self._questions.append(_Question(intent, seen, self._clock.monotonic()))

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
            self._end(question, NotPerformed())
            return
        try:
            answer = await self._inquiry.ask(upstream, question.intent.id)
        except Unanswered as error:
            self._log.warning(
                "reconcile_unanswered",
                request_id=question.intent.id,
                upstream=upstream.name,
                error=str(error),
            )
            self._again(question, question.delay)
            question.delay = min(question.delay * 2, _LONGEST_DELAY_S)
            return
        too_young_s = self._grace_s - (self._clock.now() - question.intent.created_at)
        if isinstance(answer, NotPerformed) and too_young_s > 0:
            self._again(question, too_young_s)
            return
        self._end(question, answer)

    def _again(self, question: _Question, delay_s: float) -> None:
        question.due = self._clock.monotonic() + delay_s

    def _end(self, question: _Question, answer: Answer) -> None:
        self._questions.remove(question)
        intent, seen = question.intent, question.seen
        self.recovered += 1
        match answer:
            case Performed():
                self._meter.end(intent, _performed_result(intent, seen, answer))
            case NotPerformed():
                self._meter.end(intent, seen if seen is not None else Void(intent.id))


def _answer(reply: Reply) -> Answer:
    """`{"request_id", "event_type", "status"}` with 200, or 404; raises Unanswered for anything else."""
    if reply.status == HTTPStatus.NOT_FOUND:
        return NotPerformed()
    if reply.status != HTTPStatus.OK:
        raise Unanswered(f"status {reply.status}")
    try:
        members = json.loads(reply.body)
    except ValueError as error:
        raise Unanswered("the body is not JSON") from error
    if not isinstance(members, dict):
        raise Unanswered("the body is not an object")
    event_type, status = members.get("event_type"), members.get("status")
    is_http_status = isinstance(status, int) and 100 <= status <= 599
    return Performed(event_type if isinstance(event_type, str) else None, status if is_http_status else None)


def _performed_result(intent: Intent, seen: Result | None, answer: Performed) -> Result:
    if seen is not None:
        return replace(seen, event_type=answer.event_type, cost=PERFORMED_COST)
    return Result(
        id=intent.id,
        status=answer.status or HTTPStatus.OK,
        event_type=answer.event_type,
        cost=PERFORMED_COST,
        latency_ms=0.0,
        request_bytes=0,
        response_bytes=0,
    )
