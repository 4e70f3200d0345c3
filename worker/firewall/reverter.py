"""`python -m worker.firewall.reverter FOLDER NFT`: takes an unconfirmed change back whatever becomes of the agent.

The first process ends as soon as the second one watches (0), or another one does already (0); so the agent knows that it is armed.
The second one has a session of its own. Asked to end (SIGTERM: the machine is shut down, the unit is stopped) while a change waits,
it takes the change back at once, because nobody would do so later.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from shared.clock import SystemClock
from worker.firewall.nft import FirewallUnavailable, Nft, RulesetRefused
from worker.firewall.records import FirewallRecords
from worker.firewall.reversion import Reversion, Watched

LOOK_EVERY_S = 0.2


def main(folder: Path, program: str | None) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "reverter.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    # The lock belongs to the open file, which the child inherits.
    if os.fork() > 0:
        return 0
    os.setsid()
    _let_go_of_the_terminal()
    _watch(folder, Nft(program), lock)
    return 0


def _watch(folder: Path, nft: Nft, lock: int) -> None:
    records = FirewallRecords(folder)
    reversion = Reversion(records, nft, SystemClock())
    asked_to_end = False

    def end(_number: int, _frame: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        with records.locked():
            try:
                seen = reversion.look(now_at_the_latest=asked_to_end)
            except (FirewallUnavailable, RulesetRefused):
                # Nobody is there to tell; the next look tries again.
                seen = Watched.STILL_PENDING
            if seen is not Watched.STILL_PENDING:
                # Inside the lock: whoever makes the next change finds either a watcher that will see it, or none.
                os.close(lock)
                return
        time.sleep(LOOK_EVERY_S)


def _let_go_of_the_terminal() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
