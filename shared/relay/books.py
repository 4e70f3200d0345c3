"""What is noted about one exchange while it runs, and handed to the director at its end."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from shared.relay.director import Ending, Exchange, Field, OngoingAnswer, Outcome, ResponseHead

CLIENT_LEFT: Final = 499

_log = structlog.get_logger("relay")


class Books:
    """Rule: `close` reaches the director once, whatever is called how often.

    Failure policy: an exchange of the director's that raises is a defect there; it is logged, and the client's request does
    not suffer from it.
    """

    __slots__ = (
        "_closed",
        "_exchange",
        "_monotonic",
        "_started",
        "reached_upstream",
        "request_bytes",
        "response_bytes",
        "status",
    )

    def __init__(self, exchange: Exchange, started: float, monotonic: Callable[[], float]) -> None:
        self._exchange = exchange
        self._started = started
        self._monotonic = monotonic
        self._closed = False
        self.status = 0
        self.reached_upstream = False
        self.request_bytes = 0
        self.response_bytes = 0

    def response_fields(self, status: int, fields: list[Field]) -> Sequence[Field]:
        try:
            return self._exchange.response_fields(ResponseHead(status, fields))
        except Exception:  # noqa: BLE001 - see the failure policy
            _log.exception("exchange_failed", call="response_fields")
            return fields

    def fault_fields(self) -> Sequence[Field]:
        try:
            return self._exchange.fault_fields()
        except Exception:  # noqa: BLE001 - see the failure policy
            _log.exception("exchange_failed", call="fault_fields")
            return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        if self._closed:
            return
        try:
            self._exchange.goes_on(answer)
        except Exception:  # noqa: BLE001 - see the failure policy
            _log.exception("exchange_failed", call="goes_on")

    def close(self, ending: Ending) -> None:
        if self._closed:
            return
        self._closed = True
        outcome = Outcome(
            status=self.status or CLIENT_LEFT,
            ending=ending,
            reached_upstream=self.reached_upstream,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            latency_ms=(self._monotonic() - self._started) * 1000,
        )
        try:
            self._exchange.finished(outcome)
        except Exception:  # noqa: BLE001 - see the failure policy
            _log.exception("exchange_failed", call="finished")
