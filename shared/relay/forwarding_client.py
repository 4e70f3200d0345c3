"""The client, as its forwarded request sees it."""

from collections.abc import Sequence
from typing import Protocol

from shared.relay.books import Books
from shared.relay.director import FaultKind, Field
from shared.relay.tunnel import Tunnel
from shared.relay.upstream_connection import UpstreamConnection


class Client(Protocol):
    def send(self, data: bytes) -> None: ...
    def hold_body(self) -> None:
        """Stop reading the request's body until `release_body`."""

    def release_body(self) -> None: ...
    def may_persist(self) -> bool: ...
    def answered(self, *, keep_alive: bool) -> None:
        """The whole answer was sent."""

    def answer_fault(self, kind: FaultKind, detail: str, fields: Sequence[Field]) -> None: ...
    def break_off(self, *, abruptly: bool) -> None:
        """The answer cannot be completed. `abruptly`: nothing but a reset can tell the client."""

    def open_tunnel(self, upstream: UpstreamConnection, books: Books) -> Tunnel: ...
