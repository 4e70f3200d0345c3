"""Who listens to an upstream's connection: the request it serves, or the tunnel that it has become."""

from typing import TYPE_CHECKING, Protocol

from shared.relay.director import Field
from shared.relay.loss import LossReason
from shared.relay.received import ReceivedResponse

if TYPE_CHECKING:
    from shared.relay.upstream_connection import UpstreamConnection


class ResponseSink(Protocol):
    """Who asked. After `last`, `lost` or `switched` the connection does not call `interim` or `response` again."""

    websocket: bool
    request_is_complete: bool

    def interim(self, status: int, fields: list[Field]) -> None: ...
    def response(self, head: ReceivedResponse, piece: bytes, *, last: bool) -> None: ...
    def piece(self, piece: bytes, *, last: bool) -> None: ...
    def switched(self, head: ReceivedResponse, connection: "UpstreamConnection") -> "TunnelSink":
        """The upstream speaks WebSocket from here on, to the one returned."""

    def lost(self, reason: LossReason) -> None: ...
    def upstream_writable(self, *, writable: bool) -> None: ...


class TunnelSink(Protocol):
    """Who takes the upstream's side of a WebSocket."""

    def upstream_data(self, data: bytes) -> None: ...
    def upstream_ended(self) -> None:
        """The upstream sends nothing more, but still takes bytes."""

    def lost(self, reason: LossReason) -> None: ...
    def upstream_writable(self, *, writable: bool) -> None: ...
