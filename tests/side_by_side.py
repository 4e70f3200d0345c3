"""`python -m tests.side_by_side`: every test, as two halves at the same time, because most of them wait for other processes.

The halves share the engine and the machine, and nothing else. What is not named here is in the first half, so no test is forgotten.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SECOND_HALF = (
    "tests/e2e",
    *sorted(str(folder) for folder in Path("tests/integration").glob("worker_*") if folder.is_dir()),
)


def pytest(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "pytest", "-q", "--durations=15", *arguments]


def main() -> int:
    ignored = [f"--ignore={path}" for path in SECOND_HALF]
    with tempfile.TemporaryFile() as said:
        # Without the cache, which two at once would write into the same file.
        second = subprocess.Popen(
            pytest("-p", "no:cacheprovider", *SECOND_HALF), stdout=said, stderr=subprocess.STDOUT
        )
        try:
            first = subprocess.run(pytest("tests", *ignored), check=False).returncode
            code = second.wait()
        except BaseException:
            second.terminate()
            second.wait()
            raise
        finally:
            said.seek(0)
            sys.stdout.write(said.read().decode(errors="replace"))
    return first or code


if __name__ == "__main__":
    sys.exit(main())
