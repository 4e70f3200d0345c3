"""A client that waits to be told `100 Continue` before it sends its body (RFC 9110 section 10.1.1).

The expectation goes on to the upstream, which may refuse before the body is on its way. Many an upstream says nothing and
waits for the body; then the relay invites the client itself after `Limits.continue_after`, as a proxy may.
"""

import asyncio
from collections.abc import Callable

CONTINUE = 100


class Expectation:
    """`met`: the client has been told to go on, or has begun by itself. `invite` is called at most once."""

    __slots__ = ("_timer", "met")

    def __init__(self) -> None:
        self.met = False
        self._timer: asyncio.TimerHandle | None = None

    def invite_after(self, seconds: float, invite: Callable[[], None]) -> None:
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, invite)

    def is_met(self) -> bool:
        """Notes that the client need not wait any more; whether that is news."""
        news, self.met = not self.met, True
        self._stop()
        return news

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
