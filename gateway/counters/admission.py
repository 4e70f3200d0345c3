"""One answer for each claim: admitted, refused, or unreachable. Seeding, a change of month and known refusals are dealt with here."""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.counters.port import (
    Admitted,
    Claim,
    Counters,
    OtherPeriod,
    QuotaRefused,
    RateRefused,
    Refused,
    Settlement,
    SettlementKind,
    Unseeded,
    Verdict,
    Withdrawn,
)
from gateway.counters.refusals import KnownRefusals
from gateway.counters.seeding import Seeding
from gateway.counters.settlements import Settlements
from gateway.errors import CountersUnavailable
from gateway.rules.period import period_at

_MOST_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No verdict. When the claim `was_sent`, a unit may have been taken all the same."""

    was_sent: bool


@dataclass(slots=True, init=False)
class Answer:
    """`claim` is the one that was judged: of the month in which the counters are."""

    claim: Claim
    outcome: Admitted | Refused | Unreachable

    def __init__(self, claim: Claim, outcome: Admitted | Refused | Unreachable) -> None:
        self.claim = claim
        self.outcome = outcome


Then = Callable[[Answer], None]


class Admission:
    def __init__(
        self, counters: Counters, refusals: KnownRefusals, seeding: Seeding, settlements: Settlements
    ) -> None:
        self._counters = counters
        self._refusals = refusals
        self._seeding = seeding
        self._settlements = settlements

    def known_refusal(self, claim: Claim) -> Refused | None:
        return self._refusals.find(claim)

    def admit(self, claim: Claim, then: Then) -> Answer | None:
        """The answer when it is there at once; otherwise None, and `then` is called with it later, once."""
        return self._try(claim, then, _MOST_TRIES)

    def give_back(self, claim: Claim) -> None:
        """Releases what the claim took, if it took anything."""
        self._settlements.settle(
            Settlement(claim.user_id, claim.period.name, claim.request_id, SettlementKind.RELEASE)
        )

    def _try(self, claim: Claim, then: Then, tries: int) -> Answer | None:
        if tries == 0:
            return Answer(claim, Unreachable(was_sent=False))
        try:
            verdict = self._counters.reserve(claim, lambda found: self._replied(claim, then, tries, found))
        except CountersUnavailable:
            return Answer(claim, Unreachable(was_sent=False))
        return None if verdict is None else self._judge(claim, then, tries, verdict)

    def _replied(self, claim: Claim, then: Then, tries: int, found: Verdict | CountersUnavailable) -> None:
        if isinstance(found, CountersUnavailable):
            then(Answer(claim, Unreachable(was_sent=True)))
            return
        answer = self._judge(claim, then, tries, found)
        if answer is not None:
            then(answer)

    def _judge(self, claim: Claim, then: Then, tries: int, verdict: Verdict) -> Answer | None:
        match verdict:
            case Admitted():
                return Answer(claim, verdict)
            case QuotaRefused() | RateRefused():
                self._refusals.add(claim, verdict)
                return Answer(claim, verdict)
            case OtherPeriod():
                return self._try(replace(claim, period=period_at(verdict.now)), then, tries - 1)
            case Unseeded():
                seeded = self._seeding.wanted(claim.user_id, claim.period)
                seeded.add_done_callback(lambda done: self._seeded(claim, then, tries, done))
                return None
            case Withdrawn():
                return Answer(claim, Unreachable(was_sent=False))

    def _seeded(self, claim: Claim, then: Then, tries: int, done: Future[None]) -> None:
        if done.cancelled() or done.exception() is not None:
            then(Answer(claim, Unreachable(was_sent=False)))
            return
        answer = self._try(claim, then, tries - 1)
        if answer is not None:
            then(answer)
