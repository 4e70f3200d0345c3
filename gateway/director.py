"""The relay's director: the gateway's own paths to its control app, everything else through the pipeline."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.exchanges import ControlExchange
from gateway.observation.traffic import Traffic
from gateway.pipeline import Pipeline
from gateway.problems import INTERNAL_ERROR, ToProblem, closes, fault_problem, respond
from gateway.routes.table import RouteTable
from gateway.rules.canonical_target import CanonicalTarget, canonical_target
from gateway.rules.client_address import TrustedProxies
from gateway.rules.field_fates import FATES, Fate
from gateway.rules.reserved_paths import RESERVED, RESERVED_PREFIX
from shared.relay.director import Decision, FaultKind, Field, Forward, RequestHead, Respond, UpstreamSpec

CONTROL_MAX_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Control:
    """The control app as an upstream, and who is believed about the way here."""

    upstream: UpstreamSpec
    proxies: TrustedProxies
    traffic: Traffic


class Refusals:
    """Errors as answers, counted by their code."""

    def __init__(self, table: dict[type[Exception], ToProblem], traffic: Traffic) -> None:
        self._table = table
        self._traffic = traffic
        self._log = structlog.get_logger("gateway")

    def refuse(self, head: RequestHead, error: Exception) -> Respond:
        to_problem = self._table.get(type(error))
        if to_problem is None:
            self._log.error("unhandled_error", request_id=head.request_id, method=head.method, exc_info=error)
            problem = INTERNAL_ERROR
        else:
            problem = to_problem(error)
        self._traffic.refused(problem.code)
        return respond(problem, head.request_id)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        self._traffic.refused(kind.value)
        return respond(fault_problem(kind, status, detail), request_id, close=closes(kind))


class GatewayDirector:
    """`table` is asked for with every request: a reload takes effect between two of them."""

    def __init__(
        self, table: Callable[[], RouteTable], pipeline: Pipeline, control: Control, refusals: Refusals
    ) -> None:
        self._table = table
        self._pipeline = pipeline
        self._control = control
        self._refusals = refusals

    def direct(self, head: RequestHead) -> Decision | Awaitable[Decision]:
        try:
            target = canonical_target(head.target)
            if target.path in RESERVED or target.path.startswith(RESERVED_PREFIX):
                return self._to_control(head, target)
            return self._pipeline.run(self._table().match(head, target))
        except Exception as error:  # noqa: BLE001 - every error has an answer, the unknown ones a logged 500
            return self._refusals.refuse(head, error)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        return self._refusals.fault(kind, status, detail, request_id)

    def _to_control(self, head: RequestHead, target: CanonicalTarget) -> Forward:
        self._control.traffic.forwarded()
        return Forward(
            upstream=self._control.upstream,
            target=target.text(),
            host=head.host or "localhost",
            fields=control_fields(head, self._control.proxies),
            exchange=ControlExchange(self._control.traffic),
            max_body=CONTROL_MAX_BODY,
        )


def control_fields(head: RequestHead, proxies: TrustedProxies) -> list[Field]:
    """Credentials stay, identity headers go.

    The last address in `X-Forwarded-For` is the one that the client cannot have written. What it claimed is kept before it, so
    that a proxy on this machine which nobody declared trusted does not make the whole world local.
    """
    fields: list[Field] = []
    hops: list[bytes] = []
    for field in head.fields:
        fate = FATES[field[0]]
        if fate in {Fate.ONWARD, Fate.CREDENTIAL}:
            fields.append(field)
        elif field[0].lower() == b"x-forwarded-for":
            hops.append(field[1])
    peer = head.peer.host
    claimed = b", ".join(hops)
    if proxies.believes(peer):
        way = proxies.client(peer, claimed.decode("latin-1")).encode()
    else:
        way = claimed + b", " + peer.encode() if claimed else peer.encode()
    fields.append((b"X-Forwarded-For", way))
    fields.append((b"X-Request-ID", head.request_id.encode()))
    return fields
