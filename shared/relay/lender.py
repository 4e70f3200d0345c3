"""Where an upstream's connection comes from and goes back to."""

from typing import TYPE_CHECKING, Protocol

from shared.relay.director import Target

if TYPE_CHECKING:
    from shared.relay.upstream_connection import UpstreamConnection


class Lender(Protocol):
    target: Target

    def failed(self) -> None:
        """A request got no response head."""

    def answered(self) -> None:
        """An exchange has ended on a connection that is not given back."""

    def give_back(self, connection: "UpstreamConnection") -> None: ...
    def forget(self, connection: "UpstreamConnection") -> None: ...
