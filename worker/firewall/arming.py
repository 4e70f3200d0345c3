"""Starting the process that takes changes back, outside the agent's own: it outlives the agent, however that ends."""

import subprocess
import sys
from pathlib import Path

import worker
from worker.firewall.nft import FirewallUnavailable, Nft

ARM_DEADLINE_S = 15.0

_ROOT = Path(worker.__file__).parents[1]


def arm(folder: Path, nft: Nft) -> None:
    """Returns when it watches. Blocking. Raises FirewallUnavailable: what cannot be taken back must not be done."""
    command = [sys.executable, "-m", "worker.firewall.reverter", str(folder.absolute())]
    program = nft.found()
    command += [program] if program is not None else []
    try:
        done = subprocess.run(  # noqa: S603 - argv of our own
            command,
            cwd=_ROOT,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ARM_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallUnavailable(f"The guard of changes does not start: {type(error).__name__}.") from error
    if done.returncode != 0:
        raise FirewallUnavailable(f"The guard of changes does not start: exit status {done.returncode}.")
