"""Whether the ports are free, asked before anything is started."""

import socket
from collections.abc import Iterable

from deploy.local.plan import Listener


def busy(listeners: Iterable[Listener]) -> list[str]:
    """One sentence for each port that cannot be listened on."""
    return [sentence for listener in listeners if (sentence := _obstacle(listener)) is not None]


def _obstacle(listener: Listener) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the services do: a connection still in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.host, listener.port))
            probe.listen()
        except OSError as error:
            return f"port {listener.port} cannot be used ({error.strerror}); free it, or set {listener.variable} to another"
    return None
