"""Answers that are still being relayed, by the user whose credential let them in.

Rules:
- One entry for each, from the first part of the answer that is not the last to the end of the exchange.
- An answer is doubted once when it is `YOUNG_S` old, and again whenever its user's account has changed. What is doubted is looked up
  (see `answer_watch`). The first doubt is for changes that came between the admission of the request and the head of its answer.
- Until then it is left alone: most are over by then, and a client that is just being answered need not be told half of it.
"""

from math import inf
from typing import Final

from gateway.accounts.principal import Principal, UserId
from shared.clock import Clock
from shared.relay.director import OngoingAnswer

YOUNG_S: Final = 1.0


class Ongoing:
    """`since` is on the monotonic clock, `ends_at` (of the credential) in Unix seconds, as far as it is known."""

    __slots__ = ("answer", "ends_at", "key_id", "since", "user_id")

    def __init__(self, answer: OngoingAnswer, user_id: UserId, key_id: str, since: float) -> None:
        self.answer = answer
        self.user_id = user_id
        self.key_id = key_id
        self.since = since
        self.ends_at = inf


class OngoingAnswers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of_user: dict[UserId, set[Ongoing]] = {}
        self._young: dict[Ongoing, None] = {}
        self._doubted: set[UserId] = set()
        self._first_end = inf

    def begun(self, principal: Principal, answer: OngoingAnswer) -> Ongoing:
        ongoing = Ongoing(answer, principal.user_id, principal.key_id, self._clock.monotonic())
        self._young[ongoing] = None
        self._of_user.setdefault(ongoing.user_id, set()).add(ongoing)
        return ongoing

    def over(self, ongoing: Ongoing) -> None:
        self._young.pop(ongoing, None)
        others = self._of_user.get(ongoing.user_id)
        if others is None:
            return
        others.discard(ongoing)
        if not others:
            del self._of_user[ongoing.user_id]

    def doubt(self, user_id: UserId) -> None:
        """What the user's credentials may do has changed."""
        if user_id in self._of_user:
            self._doubted.add(user_id)

    def doubt_all(self) -> None:
        self._doubted.update(self._of_user)

    def take_doubted(self) -> list[Ongoing]:
        """Those to be looked up now, each once."""
        for grown in self._grown():
            del self._young[grown]
            self._doubted.add(grown.user_id)
        doubted, self._doubted = self._doubted, set()
        return [
            ongoing
            for user_id in doubted
            for ongoing in self._of_user.get(user_id, ())
            if ongoing not in self._young
        ]

    def _grown(self) -> list[Ongoing]:
        """Those that are not young any more: they are in the order of their beginning."""
        born_before = self._clock.monotonic() - YOUNG_S
        grown: list[Ongoing] = []
        for ongoing in self._young:
            if ongoing.since > born_before:
                break
            grown.append(ongoing)
        return grown

    def vouch(self, ongoing: Ongoing, ends_at: float) -> None:
        """Its credential is good until then."""
        ongoing.ends_at = ends_at
        self._first_end = min(self._first_end, ends_at)

    def take_expired(self) -> list[Ongoing]:
        now = self._clock.now()
        if now <= self._first_end:
            return []
        ongoing = [each for answers in self._of_user.values() for each in answers]
        self._first_end = min((each.ends_at for each in ongoing if each.ends_at >= now), default=inf)
        return [each for each in ongoing if each.ends_at < now]

    def cut(self, ongoing: Ongoing) -> None:
        """Unless it is over by now."""
        if ongoing in self._of_user.get(ongoing.user_id, ()):
            ongoing.answer.cut()

    def __len__(self) -> int:
        return sum(len(answers) for answers in self._of_user.values())
