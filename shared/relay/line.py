"""A client's connection, as its conversation sees it."""

from typing import Protocol

from shared.relay.client_socket import ClientSocket
from shared.relay.tunnel import Tunnel


class Line(Protocol):
    """`ended`: the client will send nothing more."""

    socket: ClientSocket
    ended: bool
    read_deadline: float

    def read_within(self, seconds: float) -> None: ...
    def linger(self) -> None: ...
    def abort(self) -> None: ...
    def enter_tunnel(self, tunnel: Tunnel, early: bytes) -> None: ...
    def tunnel_closed(self) -> None: ...
