"""A tool that is run for a source: an argument list, a clean environment, a bound on the folder that it fills, and nothing left over."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worker.sources.errors import SourceFailed

MOST_BYTES = 1024 * 1024 * 1024
MOST_ENTRIES = 100_000
KEPT_LINES = 40
PROC = Path("/proc")

_LOOK_S = 0.5
_LINE_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Ended:
    """`said` are the last lines of both outputs."""

    status: int
    said: tuple[str, ...]


async def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], deadline_s: float
) -> Ended:
    """Raises SourceFailed at the deadline, or when `folder` grows beyond what a source may have. Killed with all that it started."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    lines: list[str] = []
    try:
        async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(_read(process, lines))
            watching = tasks.create_task(_watch(folder))
            await reading
            await process.wait()
            watching.cancel()
    except TimeoutError:
        raise SourceFailed(f"{arguments[0]} took longer than {deadline_s:.0f} s", lines) from None
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        await _end(process)
    return Ended(process.returncode or 0, tuple(lines))


async def _read(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    if process.stdout is None:
        return
    rest = b""
    while octets := await process.stdout.read(65_536):
        *whole, rest = (rest + octets).replace(b"\r", b"\n").split(b"\n")
        rest = rest[-_LINE_BYTES:]
        lines += [line[:_LINE_BYTES].decode(errors="replace") for line in whole if line.strip()]
        del lines[:-KEPT_LINES]
    if rest.strip():
        lines.append(rest.decode(errors="replace"))


async def _watch(folder: Path) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(check_size, folder)


def check_size(folder: Path) -> None:
    """Raises SourceFailed. Blocking."""
    entries, octets = 0, 0
    for parent, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        for name in files:
            try:
                octets += (Path(parent) / name).lstat().st_size
            except FileNotFoundError:
                continue
        if entries > MOST_ENTRIES:
            raise SourceFailed(f"The source has more than {MOST_ENTRIES} files.")
        if octets > MOST_BYTES:
            raise SourceFailed(f"The source is larger than {MOST_BYTES // 1024**2} MiB.")


def end_left_over(folder: Path) -> None:
    """Kills the tools, and what they started, that an earlier life of this worker did not live to end. They have their home below `folder`, which
    is the worker's own. Blocking.
    """
    home = b"HOME=" + bytes(folder) + b"/"
    for process in PROC.iterdir():
        # One that ends meanwhile, or is somebody else's, is none of ours.
        with suppress(OSError):
            if process.name.isdigit() and any(
                variable.startswith(home) for variable in (process / "environ").read_bytes().split(b"\0")
            ):
                os.kill(int(process.name), signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(process.wait())
