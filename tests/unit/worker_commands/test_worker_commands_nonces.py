"""A nonce is accepted once: in this life, in the next, and after the machine was restarted."""

import asyncio
from pathlib import Path

import pytest

from shared.signature import WINDOW_S, SignatureInvalid
from worker.nonces import REMEMBERED_S, Nonces

START = 1_800_000_000.0


class SetClock:
    def __init__(self) -> None:
        self.seconds = START

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


def refuses(nonces: Nonces, nonce: str, signed_at: float) -> bool:
    try:
        nonces.accept(nonce, int(signed_at))
    except SignatureInvalid:
        return True
    return False


def test_a_nonce_is_accepted_once_for_as_long_as_its_signature_could_be_valid(tmp_path: Path) -> None:
    clock = SetClock()
    nonces = Nonces(tmp_path, clock, "boot")
    signed_at = START + WINDOW_S
    nonces.accept("nonce-00", int(signed_at))

    while clock.seconds <= signed_at + WINDOW_S:
        assert refuses(nonces, "nonce-00", signed_at), clock.seconds - START
        clock.seconds += 7
        nonces.accept(f"other-{clock.seconds}", int(clock.seconds))
    nonces.close()


@pytest.mark.parametrize("lives", [1, 2, 5])
def test_the_next_lives_of_the_process_know_it_too(tmp_path: Path, lives: int) -> None:
    clock = SetClock()
    nonces = Nonces(tmp_path, clock, "boot")
    nonces.accept("nonce-00", int(START))
    for _ in range(lives):
        # Not closed: nothing is done at the end of a life that was killed.
        clock.seconds += REMEMBERED_S / 10
        nonces = Nonces(tmp_path, clock, "boot")
        assert refuses(nonces, "nonce-00", START)
        assert not refuses(nonces, f"new-{clock.seconds}", clock.seconds - 30), "its own clock may be behind"


def test_after_a_restart_of_the_machine_what_was_signed_before_is_refused(tmp_path: Path) -> None:
    clock = SetClock()
    Nonces(tmp_path, clock, "boot").close()
    (tmp_path / "nonces").write_text("boot\n1800000001 nonce-00\n180000")  # the rest was lost with the power
    clock.seconds += 20

    nonces = Nonces(tmp_path, clock, "another boot")

    assert refuses(nonces, "lost-one", START + 5)
    assert not refuses(nonces, "new-one0", START + 20)
    nonces.close()


async def test_where_commands_are_served_the_journal_is_begun_anew_without_waiting_for_a_disk(
    tmp_path: Path,
) -> None:
    clock = SetClock()
    nonces = await asyncio.to_thread(Nonces, tmp_path, clock, "boot")
    for turn in range(3):
        clock.seconds += REMEMBERED_S
        nonces.accept(f"nonce-0{turn}", int(clock.seconds))

    journal = await asyncio.to_thread((tmp_path / "nonces").read_text)
    assert [line.split()[-1] for line in journal.splitlines()] == ["boot", "nonce-02"]
    nonces.close()


def test_the_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    clock = SetClock()
    nonces = Nonces(tmp_path, clock, "boot")
    for turn in range(2000):
        clock.seconds += 1
        nonces.accept(f"nonce-{turn}", int(clock.seconds))

    assert len((tmp_path / "nonces").read_text().splitlines()) <= 2 * REMEMBERED_S + 2
    assert (tmp_path / "nonces").stat().st_mode & 0o777 == 0o600
    nonces.close()
