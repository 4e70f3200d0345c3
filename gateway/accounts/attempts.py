"""Back-off after failed sign-ins, per account and per address.

Rules:
- Only failures count, and a success clears the account's.
- An account's wait doubles from 2 s to 60 s: long enough to make guessing hopeless, short enough that a stranger who keeps failing
  cannot lock the owner out for good. An address may fail more often (an office shares one) and waits up to 15 minutes.
- Guesses sent all at once are bounded by what may be in flight, since none of them has failed yet.
- It is in this process: only the control process serves sign-ins, however many relay processes there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from gateway.accounts.email import Email
from gateway.accounts.errors import InvalidCredentials, TooManyAttempts
from shared.clock import Clock

_FORGOTTEN_AFTER_S = 900.0
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, how many attempts may be in flight, and how long the wait may get (seconds)."""

    free_failures: int
    in_flight: int
    longest_wait: float


ACCOUNT = Patience(free_failures=5, in_flight=32, longest_wait=60.0)
ADDRESS = Patience(free_failures=50, in_flight=256, longest_wait=900.0)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    in_flight: int = 0
    last_failure: float = 0.0


@dataclass(slots=True)
class _Book:
    """The failures of one kind of subject, the least recently failed first. Subjects that never failed are not kept."""

    patience: Patience
    records: dict[str, _Record] = field(default_factory=dict)

    def wait(self, subject: str, now: float) -> float:
        """Seconds until another attempt is allowed; 0 when it is."""
        record = self.records.get(subject)
        if record is None:
            return 0.0
        if now - record.last_failure > _FORGOTTEN_AFTER_S:
            record.failures = 0
        excess = record.failures - self.patience.free_failures
        if excess < 0:
            return 1.0 if record.in_flight >= self.patience.in_flight else 0.0
        # The exponent is bounded before it is used: 2.0 ** 2000 is an OverflowError.
        wait = min(2.0 ** min(excess + 1, 16), self.patience.longest_wait)
        remaining = record.last_failure + wait - now
        # Past the free failures one guess at a time, or a burst would slip through between two waits.
        return max(remaining, 1.0 if record.in_flight else 0.0)

    def begin(self, subject: str) -> None:
        self.records.setdefault(subject, _Record()).in_flight += 1

    def end(self, subject: str) -> None:
        record = self.records.get(subject)
        if record is None:
            return
        record.in_flight -= 1
        if record.in_flight <= 0 and not record.failures:
            del self.records[subject]

    def failed(self, subject: str, now: float) -> None:
        record = self.records.pop(subject, None) or _Record()
        record.failures += 1
        record.last_failure = now
        self.records[subject] = record
        if len(self.records) > _REMEMBERED:
            del self.records[next(iter(self.records))]

    def clear(self, subject: str) -> None:
        record = self.records.get(subject)
        if record is not None:
            record.failures = 0


class Attempts:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts = _Book(ACCOUNT)
        self._addresses = _Book(ADDRESS)

    @contextmanager
    def attempt(self, email: Email, address: str) -> Iterator[None]:
        """Around one check of a password. InvalidCredentials from within is a failure; raises TooManyAttempts."""
        network = network_of(address)
        now = self._clock.monotonic()
        wait = max(self._accounts.wait(email, now), self._addresses.wait(network, now))
        if wait > 0:
            raise TooManyAttempts(wait)
        self._accounts.begin(email)
        self._addresses.begin(network)
        try:
            yield
        except InvalidCredentials:
            now = self._clock.monotonic()
            self._accounts.failed(email, now)
            self._addresses.failed(network, now)
            raise
        else:
            self._accounts.clear(email)
        finally:
            self._accounts.end(email)
            self._addresses.end(network)


def network_of(address: str) -> str:
    """An IPv6 customer holds a whole /64, so that is one address here."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.exploded[:19]
    return str(parsed)
