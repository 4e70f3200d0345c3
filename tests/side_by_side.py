"""`python -m tests.side_by_side`: every test, as three parts at the same time, because most of them wait for other processes.

The parts share the engine and the machine, and nothing else. What is not named here is in the first part, so no test is forgotten.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

WORKER = tuple(
    sorted(str(folder) for folder in Path("tests/integration").glob("worker_*") if folder.is_dir())
)
PLATFORM = ("tests/integration/hoster", "tests/e2e", "tests/bench")
REST = ("tests", *(f"--ignore={path}" for path in (*WORKER, *PLATFORM)))


def begin(arguments: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    # Without the cache, which several at once would write into the same file.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=15", *arguments]
    return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)


def main() -> int:
    codes = []
    with ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        parts = [begin(part, said) for part, said in zip((REST, WORKER, PLATFORM), outputs, strict=True)]
        try:
            for part, said in zip(parts, outputs, strict=True):
                codes.append(part.wait())
                said.seek(0)
                sys.stdout.write(said.read().decode(errors="replace"))
                sys.stdout.flush()
        finally:
            for part in parts:
                if part.poll() is None:
                    part.terminate()
                    part.wait()
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
