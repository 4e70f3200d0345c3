from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.attempts import Attempts
from gateway.accounts.directory import Directory, Standing
from gateway.accounts.email import Email, EmailInvalid, normalise
from gateway.accounts.errors import InvalidCredentials, TooManyAttempts
from gateway.accounts.key_format import is_well_formed, new_key
from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.principal import OrgId, PlanId, Principal, Role, UserId, UserStatus

ANN = Email("ann@example.com")


@dataclass(slots=True)
class StoppedClock:
    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def fail(attempts: Attempts, email: Email = ANN, address: str = "203.0.113.7") -> None:
    with pytest.raises(InvalidCredentials), attempts.attempt(email, address):
        raise InvalidCredentials


def wait(attempts: Attempts, email: Email = ANN, address: str = "203.0.113.7") -> float:
    with pytest.raises(TooManyAttempts) as refused, attempts.attempt(email, address):
        pass
    return refused.value.retry_after


def test_the_wait_for_an_account_doubles_up_to_a_minute() -> None:
    clock = StoppedClock()
    attempts = Attempts(clock)
    for _ in range(5):
        fail(attempts)
    waits = []
    for _ in range(7):
        waits.append(wait(attempts))
        clock.time += waits[-1]
        fail(attempts)

    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_a_thousand_failures_are_still_a_minute() -> None:
    clock = StoppedClock()
    attempts = Attempts(clock)
    for _ in range(2000):
        fail(attempts, address=f"198.51.100.{clock.time % 250:.0f}")
        clock.time += 61

    fail(attempts)


def test_a_success_clears_the_account() -> None:
    attempts = Attempts(StoppedClock())
    for _ in range(4):
        fail(attempts)
    with attempts.attempt(ANN, "203.0.113.7"):
        pass

    for _ in range(4):
        fail(attempts)
    with attempts.attempt(ANN, "203.0.113.7"):
        pass


def test_failures_are_forgotten_after_a_quarter_of_an_hour() -> None:
    clock = StoppedClock()
    attempts = Attempts(clock)
    for _ in range(5):
        fail(attempts)
    clock.time += 901

    fail(attempts)
    with attempts.attempt(ANN, "203.0.113.7"):
        pass


def test_one_address_that_tries_many_accounts_has_to_wait_and_a_neighbour_has_not() -> None:
    attempts = Attempts(StoppedClock())
    for number in range(50):
        fail(attempts, Email(f"user{number}@example.com"))

    assert wait(attempts, Email("another@example.com")) == 2
    with attempts.attempt(Email("another@example.com"), "203.0.113.8"):
        pass


def test_an_ipv6_customer_is_one_address_whatever_the_last_half_says() -> None:
    attempts = Attempts(StoppedClock())
    for number in range(50):
        fail(attempts, Email(f"user{number}@example.com"), f"2001:db8:1:2::{number:x}")

    assert wait(attempts, Email("another@example.com"), "2001:db8:1:2:ffff::1") == 2
    with attempts.attempt(Email("another@example.com"), "2001:db8:1:3::1"):
        pass


def test_a_burst_of_guesses_is_bounded_before_the_first_of_them_has_failed() -> None:
    attempts = Attempts(StoppedClock())
    with ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(attempts.attempt(ANN, "203.0.113.7"))

        assert wait(attempts) == 1


def test_past_the_free_failures_there_is_one_guess_at_a_time() -> None:
    clock = StoppedClock()
    attempts = Attempts(clock)
    for _ in range(5):
        fail(attempts)
    clock.time += 2

    with attempts.attempt(ANN, "203.0.113.7"):
        assert wait(attempts, address="203.0.113.8") == 1


def test_memory_for_failures_is_bounded() -> None:
    attempts = Attempts(StoppedClock())
    for number in range(10_050):
        fail(
            attempts,
            Email(f"user{number}@example.com"),
            f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        )

    assert len(attempts._accounts.records) == 10_000
    assert len(attempts._addresses.records) == 10_000


def test_an_attempt_that_ends_without_a_verdict_leaves_nothing_behind() -> None:
    attempts = Attempts(StoppedClock())
    with pytest.raises(TimeoutError), attempts.attempt(ANN, "203.0.113.7"):
        raise TimeoutError

    assert attempts._accounts.records == {}


def test_new_keys_are_well_formed_and_all_different() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(is_well_formed(key) and len(key) == 52 for key in keys)


@given(st.integers(min_value=3, max_value=51), st.sampled_from("0Az9"))
def test_a_key_with_one_wrong_character_is_refused_without_a_look_up(position: int, character: str) -> None:
    key = new_key()
    wrong = key[:position] + character + key[position + 1 :]

    assert is_well_formed(wrong) is (wrong == key)


@given(st.text(max_size=80))
def test_no_other_text_is_a_key(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed("ak_" + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a nn@example.com",
        "ann@exa mple.com",
        "ann@@example.com",
        "ann@-example.com",
        "ann@example..com",
        "ann\n@example.com",
        "ann@example.com\x00",
        "a" * 65 + "@example.com",
        "ann@" + "a" * 64 + ".com",
        "ann@" + "a.ab" * 80,
        "änn@example.com",
    ],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(EmailInvalid):
        normalise(text)


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Ann@Example.COM\n", "ann@example.com"),
        ("o'neil+tag@mail.example.co.uk", "o'neil+tag@mail.example.co.uk"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_an_address_is_the_same_in_every_spelling(text: str, email: str) -> None:
    assert normalise(text) == email


def standing_of(user: str) -> Standing:
    principal = Principal(
        user_id=UserId(user),
        org_id=OrgId("org_1"),
        plan_id=PlanId("free"),
        key_id="sess_1",
        role=Role.USER,
        status=UserStatus.ACTIVE,
    )
    return Standing(principal=principal, expires_at=None, ended=False)


def test_a_look_up_that_began_before_a_change_is_not_kept() -> None:
    directory = Directory(OngoingAnswers(StoppedClock()))
    before = directory.generation
    directory.evict(UserId("user_1"))

    directory.keep("sess_1", standing_of("user_1"), 0.0, before)

    assert directory.find("sess_1", 0.0) is None


def test_an_eviction_concerns_all_credentials_of_one_user_and_nobody_else() -> None:
    directory = Directory(OngoingAnswers(StoppedClock()))
    directory.keep("sess_1", standing_of("user_1"), 0.0, 0)
    directory.keep(b"hash", standing_of("user_1"), 0.0, 0)
    directory.keep("sess_2", standing_of("user_2"), 0.0, 0)

    directory.evict(UserId("user_1"))

    assert directory.find("sess_1", 1.0) is None
    assert directory.find(b"hash", 1.0) is None
    assert directory.find("sess_2", 1.0) == standing_of("user_2")


def test_the_directory_is_bounded_and_reads_again_after_a_minute() -> None:
    directory = Directory(OngoingAnswers(StoppedClock()), capacity=2)
    for number in range(3):
        directory.keep(f"sess_{number}", standing_of(f"user_{number}"), 0.0, 0)

    assert len(directory) == 2
    assert directory.find("sess_0", 1.0) is None
    assert directory.find("sess_2", 59.9) is not None
    assert directory.find("sess_2", 60.0) is None
    assert set(directory._of_user) == {"user_1", "user_2"}
