"""Asking the director about a request, now or later."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.relay.director import Decision, FaultKind, Forward, RequestHead, Respond
from shared.relay.engine import Engine

_log = structlog.get_logger("relay")


def decide(engine: Engine, head: RequestHead, then: Callable[[Decision], None]) -> None:
    """Calls `then` once with the decision: before returning, unless the director has to wait for something.

    Failure policy: a director that raises is a defect; it is logged and the client is told 500 `internal_error`.
    """
    try:
        decision = engine.director.direct(head)
    except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer
        decision = _failed(engine, head)
    if isinstance(decision, Forward) or isinstance(decision, Respond):  # noqa: SIM101 - twice as fast, for every request
        then(decision)
    else:
        _decide_later(engine, head, decision, then)


def _decide_later(
    engine: Engine, head: RequestHead, decision: Awaitable[Decision], then: Callable[[Decision], None]
) -> None:
    def settle(settled: asyncio.Future[Decision]) -> None:
        try:
            late = settled.result()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - as above; the decision may have been cancelled inside
            late = _failed(engine, head)
        then(late)

    engine.await_decision(asyncio.ensure_future(decision), settle)


def _failed(engine: Engine, head: RequestHead) -> Respond:
    _log.exception("director_failed", request_id=head.request_id)
    return engine.own_answers.fault(
        FaultKind.INTERNAL_ERROR, "The request could not be handled.", head.request_id
    )
