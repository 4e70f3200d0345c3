"""How many accounts may be made from one address: many at once, then one every few seconds (GCRA).

It is generous, because an office or a proxy is one address; what it bounds is how fast a stranger can fill the database. It is in this
process: only the control process serves sign-ups.
"""

from gateway.accounts.attempts import network_of
from gateway.accounts.errors import TooManySignUps
from shared.clock import Clock

AT_ONCE = 500
EVERY_S = 6.0
_REMEMBERED = 10_000


class SignUpRate:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals: dict[str, float] = {}

    def take(self, address: str) -> None:
        """Raises TooManySignUps."""
        network = network_of(address)
        now = self._clock.monotonic()
        arrival = max(now, self._arrivals.pop(network, now)) + EVERY_S
        wait = arrival - EVERY_S * AT_ONCE - now
        if wait > 0:
            self._arrivals[network] = arrival - EVERY_S
            raise TooManySignUps(wait)
        self._arrivals[network] = arrival
        if len(self._arrivals) > _REMEMBERED:
            del self._arrivals[next(iter(self._arrivals))]
