"""The standing of sessions and API keys, kept in memory so that most requests need no look-up.

Rules:
- What is here was true when it was read; whoever changes an account calls `evict` after the commit (see `changes`).
- Whatever is not certain any more here is doubted in the answers that are being relayed, too.
- A look-up that began before an eviction must not be kept: take `generation` before reading and hand it to `keep`.
- Bounded: the oldest entry goes first. Each is read again after a while, so that nothing lives on for ever by being popular.
"""

from dataclasses import dataclass
from typing import Final

from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.principal import Principal, UserId

_CAPACITY: Final = 10_000
_FRESH_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one session or API key. `ended`: logged out or deleted. `expires_at` is None for a key without end."""

    principal: Principal
    expires_at: float | None
    ended: bool


class Directory:
    def __init__(self, ongoing: OngoingAnswers, capacity: int = _CAPACITY) -> None:
        self._ongoing = ongoing
        self._capacity = capacity
        self._entries: dict[str | bytes, tuple[Standing, float]] = {}
        self._of_user: dict[UserId, set[str | bytes]] = {}
        self.generation = 0

    def find(self, subject: str | bytes, now: float) -> Standing | None:
        """By session id, or by the hash of an API key."""
        entry = self._entries.get(subject)
        if entry is None or now >= entry[1]:
            return None
        return entry[0]

    def keep(self, subject: str | bytes, standing: Standing, now: float, generation: int) -> None:
        if generation != self.generation:
            return
        self._forget(subject)
        if len(self._entries) >= self._capacity:
            self._forget(next(iter(self._entries)))
        self._entries[subject] = (standing, now + _FRESH_S)
        self._of_user.setdefault(standing.principal.user_id, set()).add(subject)

    def evict(self, user_id: UserId) -> None:
        """Everything that is known of this user is read again."""
        self.generation += 1
        for subject in self._of_user.pop(user_id, ()):
            del self._entries[subject]
        self._ongoing.doubt(user_id)

    def clear(self) -> None:
        self.generation += 1
        self._entries.clear()
        self._of_user.clear()
        self._ongoing.doubt_all()

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, subject: str | bytes) -> None:
        entry = self._entries.pop(subject, None)
        if entry is None:
            return
        user_id = entry[0].principal.user_id
        subjects = self._of_user[user_id]
        subjects.discard(subject)
        if not subjects:
            del self._of_user[user_id]
