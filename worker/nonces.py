"""Which nonces were used: in memory, and in a journal beside the database for the next life of this process.

Facts: a commit to SQLite for each nonce costs a millisecond and the wait for a disk, a `write` to an appended file seven microseconds; and
what has been written survives the process (`kill -9` included), though not the machine.

Rules:
- A nonce is remembered for at least as long as its signature could be valid.
- After a restart of the machine the end of the journal may be missing: commands that were signed before this start are then refused.
"""

import errno
import os
from pathlib import Path

import structlog

from shared.clock import Clock
from shared.durable_file import write_private
from shared.signature import WINDOW_S, SignatureInvalid
from worker.errors import StorageUnwritable

REMEMBERED_S = 2.0 * WINDOW_S + 1
"""A signature may be dated up to a window ahead of our clock, and is then valid for two."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger("nonces")


class Nonces:
    """Two generations, of which the older one is dropped every two minutes: so it is bounded, since only validly signed commands get here.
    The file is then written anew, which waits for no disk either: after a restart of the machine nobody believes it.

    Failure policy: a journal that cannot be written refuses the command, because its replay could not be refused later.
    """

    def __init__(self, folder: Path, clock: Clock, boot_id: str) -> None:
        """Blocking. `boot_id` tells one run of the machine from the next."""
        self._path = folder / "nonces"
        self._clock = clock
        self._boot_id = boot_id
        now = clock.now()
        known, same_boot = _read(self._path, now, boot_id)
        self._not_before = 0 if same_boot else int(now)
        if not same_boot:
            log.info("earlier_commands_refused", before=self._not_before)
        self._older: dict[str, float] = {}
        self._newer = known
        self._file = self._begin_file(known, now, survives_machine=True)
        self._begun_at = now
        self._ends_whole = True

    def accept(self, nonce: str, signed_at: int) -> None:
        """Raises SignatureInvalid for one that was, or may have been, used already, and StorageUnwritable."""
        now = self._clock.now()
        if signed_at < self._not_before or nonce in self._newer or nonce in self._older:
            raise SignatureInvalid("this command was sent before")
        try:
            if now - self._begun_at >= REMEMBERED_S:
                self._renew(now)
            self._write(_line(nonce, now))
        except OSError as error:
            raise StorageUnwritable(error.strerror) from error
        self._newer[nonce] = now

    def close(self) -> None:
        os.close(self._file)

    def _renew(self, now: float) -> None:
        before = self._file
        self._file = self._begin_file(self._newer, now, survives_machine=False)
        os.close(before)
        self._older, self._newer, self._begun_at = self._newer, {}, now

    def _write(self, line: bytes) -> None:
        """Whole lines: what a full disk took half of is ended before the next."""
        whole = line if self._ends_whole else b"\n" + line
        self._ends_whole = False
        if os.write(self._file, whole) < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._ends_whole = True

    def _begin_file(self, known: dict[str, float], now: float, *, survives_machine: bool) -> int:
        kept = b"".join(_line(nonce, at) for nonce, at in known.items() if now - at < REMEMBERED_S)
        written = f"{self._boot_id}\n".encode() + kept
        write_private(self._path, written, survives_machine=survives_machine)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND)


def open_nonces(folder: Path, clock: Clock) -> Nonces:
    """Blocking. A machine that does not say when it was booted counts as restarted."""
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot_id = os.urandom(16).hex()
    return Nonces(folder, clock, boot_id)


def _read(path: Path, now: float, boot_id: str) -> tuple[dict[str, float], bool]:
    """What is still to be remembered, and whether nothing can be missing: without a journal there was no earlier life."""
    try:
        written, *lines = path.read_text(encoding="ascii", errors="replace").split("\n")
    except FileNotFoundError:
        return {}, True
    known: dict[str, float] = {}
    for line in lines:
        moment, _, nonce = line.partition(" ")
        # The last line of a machine that lost power may be half a line.
        if nonce and moment.isdigit() and now - int(moment) < REMEMBERED_S:
            known[nonce] = float(moment)
    return known, written == boot_id


def _line(nonce: str, at: float) -> bytes:
    """Rounded up to a second: nothing is forgotten too early."""
    return f"{int(at) + 1} {nonce}\n".encode("ascii")
