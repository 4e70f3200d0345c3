"""`python -m tests.side_by_side [ARGUMENT...]`: every test, in parts of which three run at a time, because most of them wait for other processes.

The parts share the engine and the machine, and nothing else. What is not named here is in the last part, so no test is forgotten.
Arguments go to each pytest.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

AT_ONCE = 3
NAMED = (
    ("tests/integration/worker_deploys",),
    ("tests/integration/hoster",),
    ("tests/e2e/console",),
    ("tests/bench",),
    (
        "tests/integration/worker_deploys/test_worker_git_source.py",
        "tests/integration/worker_deploys/test_worker_sources_crash.py",
        "tests/integration/worker_deploys/test_worker_build_isolation.py",
        "tests/integration/worker_deploys/test_worker_archive_source.py",
    ),
    ("tests/integration/gateway_processes",),
    ("tests/e2e",),
    ("tests/integration/gateway_data",),
    ("tests/integration/worker_firewall",),
    ("tests/integration/worker_mesh",),
    ("tests/integration/worker_services",),
    ("tests/integration/gateway_limits",),
    ("tests/integration/worker_webhooks",),
)
"""About the longest first, so that none is begun when the others are about to end."""


def parts() -> list[list[str]]:
    """What pytest is told for each."""
    named = [path for part in NAMED for path in part]
    told = [
        [*part, *(f"--ignore={path}" for path in named if path.startswith(f"{part[0]}/"))] for part in NAMED
    ]
    return [*told, ["tests", *(f"--ignore={path}" for path in named)]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A part that was killed has a `status` below zero."""

    name: str
    status: int
    seconds: float
    said: str


async def run(part: Sequence[str], arguments: Sequence[str], turns: asyncio.Semaphore) -> Ended:
    """What it says is shown when it has ended."""
    # Without the cache, which several at once would write into the same file.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--durations=10",
        *part,
        *arguments,
    ]
    async with turns:
        begun = time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=said, stderr=asyncio.subprocess.STDOUT
            )
            try:
                status = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
            said.seek(0)
            ended = Ended(
                part[0], status, time.monotonic() - begun, said.read().decode(errors="replace").rstrip()
            )
    show(ended)
    return ended


def show(part: Ended) -> None:
    sys.stdout.write(f"=== {part.name}, {part.seconds:.0f} s\n{part.said}\n\n")
    sys.stdout.flush()


async def main(arguments: Sequence[str]) -> int:
    turns = asyncio.Semaphore(AT_ONCE)
    begun = time.monotonic()
    ended = await asyncio.gather(*(run(part, arguments, turns) for part in parts()))
    failed = [part for part in ended if part.status]
    for part in failed:  # once more, so that the end of a long log tells what is wrong
        show(part)
    for part in ended:
        last = part.said.rpartition("\n")[2]
        sys.stdout.write(f"{part.name}: {'FAILED, ' if part.status else ''}{last}\n")
    sys.stdout.write(
        f"all tests: {'FAILED' if failed else 'passed'} after {time.monotonic() - begun:.0f} s\n"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
