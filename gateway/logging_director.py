"""A director that notes in the access log what another one decided and how it ended. Without an access log it is not there at all."""

from collections.abc import Awaitable, Sequence

from pydantic_core import from_json

from gateway.exchanges import BilledExchange, RoutedExchange
from gateway.observation.access_log import AccessLog
from gateway.observation.traffic import CONTROL
from gateway.rules.client_address import TrustedProxies
from shared.log import redact_text
from shared.relay.director import (
    Decision,
    Director,
    Exchange,
    FaultKind,
    Field,
    Forward,
    OngoingAnswer,
    Outcome,
    RequestHead,
    Respond,
    ResponseHead,
)

_MARKS = ("ak_", "eyJ", "=")
"""Without one of these a path has nothing that `redact_text` takes out."""


class LoggingDirector:
    def __init__(self, inner: Director, log: AccessLog, proxies: TrustedProxies) -> None:
        self._inner = inner
        self._log = log
        self._proxies = proxies
        self._forwarded: set[str] = set()
        self._ended = ""
        """The last one: the relay gives an exchange its end before it asks for the answer to that."""

    def direct(self, head: RequestHead) -> Decision | Awaitable[Decision]:
        decision = self._inner.direct(head)
        if isinstance(decision, (Forward, Respond)):
            return self._noted(head, decision)
        return self._noted_later(head, decision)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        """What was forwarded is noted when it has ended, also when it ends in this."""
        respond = self._inner.fault(kind, status, detail, request_id)
        if request_id not in self._forwarded and request_id != self._ended:
            self._log.note(
                {"event": "request", "request_id": request_id, "status": status, "code": kind.value}
            )
        return respond

    async def _noted_later(self, head: RequestHead, pending: Awaitable[Decision]) -> Decision:
        return self._noted(head, await pending)

    def _noted(self, head: RequestHead, decision: Decision) -> Decision:
        if isinstance(decision, Respond):
            self._log.note(
                {
                    "event": "request",
                    "request_id": head.request_id,
                    "client": self._client(head),
                    "method": head.method,
                    "path": _path(head),
                    "status": decision.status,
                    "code": _code(decision),
                }
            )
            return decision
        self._forwarded.add(head.request_id)
        return Forward(
            decision.upstream,
            decision.target,
            decision.host,
            decision.fields,
            _LoggedExchange(self, head, decision.exchange),
            decision.max_body,
        )

    def ended(self, head: RequestHead, exchange: Exchange, outcome: Outcome) -> None:
        self._forwarded.discard(head.request_id)
        self._ended = head.request_id
        route, lane, user_id = _routed(exchange)
        self._log.note(
            {
                "event": "request",
                "request_id": head.request_id,
                "client": self._client(head),
                "method": head.method,
                "path": _path(head),
                "route": route,
                "lane": lane,
                "user_id": user_id,
                "status": outcome.status,
                "ending": outcome.ending,
                "request_bytes": outcome.request_bytes,
                "response_bytes": outcome.response_bytes,
                "latency_ms": int(outcome.latency_ms * 1000) / 1000,
            }
        )

    def _client(self, head: RequestHead) -> str:
        peer = head.peer.host
        if not self._proxies.believes(peer):
            return peer
        hops = b", ".join(value for name, value in head.fields if name.lower() == b"x-forwarded-for")
        return self._proxies.client(peer, hops.decode("latin-1"))


class _LoggedExchange:
    __slots__ = ("_director", "_head", "_inner")

    def __init__(self, director: LoggingDirector, head: RequestHead, inner: Exchange) -> None:
        self._director = director
        self._head = head
        self._inner = inner

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return self._inner.response_fields(head)

    def fault_fields(self) -> Sequence[Field]:
        return self._inner.fault_fields()

    def goes_on(self, answer: OngoingAnswer) -> None:
        self._inner.goes_on(answer)

    def finished(self, outcome: Outcome) -> None:
        self._inner.finished(outcome)
        self._director.ended(self._head, self._inner, outcome)


def _path(head: RequestHead) -> str:
    """The query stays out: keys and tokens are in it, and nobody knows what else."""
    path = head.target.partition("?")[0]
    return redact_text(path) if any(mark in path for mark in _MARKS) else path


def _routed(exchange: Exchange) -> tuple[str, str | None, str | None]:
    """Route, lane and user id."""
    if not isinstance(exchange, RoutedExchange | BilledExchange):
        return CONTROL, None, None
    bound = exchange.bound
    route = bound.match.route
    return route.name, route.lane, bound.entitled.identity.user_id if bound.entitled is not None else None


def _code(respond: Respond) -> object:
    problem = from_json(respond.body)
    return problem.get("code") if isinstance(problem, dict) else None
