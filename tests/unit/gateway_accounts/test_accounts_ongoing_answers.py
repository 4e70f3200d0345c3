"""Which answers are doubted when, and that nothing is kept of those that are over."""

from dataclasses import dataclass, field
from math import inf

from gateway.accounts.ongoing_answers import YOUNG_S, Ongoing, OngoingAnswers
from gateway.accounts.principal import OrgId, PlanId, Principal, Role, UserId, UserStatus


@dataclass
class PaperClock:
    at: float = 1000.0

    def now(self) -> float:
        return 1_700_000_000 + self.at

    def monotonic(self) -> float:
        return self.at


@dataclass(eq=False)
class PaperAnswer:
    cuts: int = 0

    def cut(self) -> None:
        self.cuts += 1


@dataclass
class Stage:
    clock: PaperClock = field(default_factory=PaperClock)

    def __post_init__(self) -> None:
        self.answers = OngoingAnswers(self.clock)

    def begin(self, user_id: str) -> Ongoing:
        principal = Principal(
            user_id=UserId(user_id),
            org_id=OrgId("org_1"),
            plan_id=PlanId("free"),
            key_id=f"sess_of_{user_id}",
            role=Role.USER,
            status=UserStatus.ACTIVE,
        )
        return self.answers.begun(principal, PaperAnswer())


def test_an_answer_is_doubted_once_when_it_has_lasted_and_again_with_each_change_of_its_user() -> None:
    stage = Stage()
    ann, bob = stage.begin("ann"), stage.begin("bob")

    stage.answers.doubt(UserId("ann"))
    assert stage.answers.take_doubted() == []  # both are young, whatever has happened

    stage.clock.at += YOUNG_S
    assert set(stage.answers.take_doubted()) == {ann, bob}
    assert stage.answers.take_doubted() == []

    stage.answers.doubt(UserId("ann"))
    assert stage.answers.take_doubted() == [ann]
    stage.answers.doubt_all()
    assert set(stage.answers.take_doubted()) == {ann, bob}


def test_an_old_answer_is_doubted_at_once_and_a_young_one_of_the_same_user_later() -> None:
    stage = Stage()
    old = stage.begin("ann")
    stage.clock.at += YOUNG_S
    stage.answers.take_doubted()
    young = stage.begin("ann")

    stage.answers.doubt(UserId("ann"))

    assert stage.answers.take_doubted() == [old]
    stage.clock.at += YOUNG_S
    assert young in stage.answers.take_doubted()


def test_an_answer_expires_with_its_credential_and_only_then() -> None:
    stage = Stage()
    first, second, endless = stage.begin("ann"), stage.begin("bob"), stage.begin("eve")
    stage.answers.vouch(first, stage.clock.now() + 10)
    stage.answers.vouch(second, stage.clock.now() + 20)
    stage.answers.vouch(endless, inf)

    stage.clock.at += 10
    assert stage.answers.take_expired() == []
    stage.clock.at += 1
    assert stage.answers.take_expired() == [first]
    stage.answers.over(first)
    stage.clock.at += 10
    assert stage.answers.take_expired() == [second]


def test_nothing_is_kept_of_an_answer_that_is_over_and_it_is_not_cut() -> None:
    stage = Stage()
    begun = [stage.begin(f"user_{number % 7}") for number in range(100)]
    assert len(stage.answers) == 100
    stage.clock.at += YOUNG_S
    stage.answers.take_doubted()
    begun += [stage.begin(f"user_{number % 7}") for number in range(100)]
    stage.answers.doubt_all()

    for ongoing in begun:
        stage.answers.over(ongoing)
        stage.answers.over(ongoing)
        stage.answers.cut(ongoing)

    assert len(stage.answers) == 0
    assert not stage.answers._of_user
    assert not stage.answers._young
    assert stage.answers.take_doubted() == []
    assert all(ongoing.answer.cuts == 0 for ongoing in begun)  # type: ignore[attr-defined]  # a PaperAnswer
