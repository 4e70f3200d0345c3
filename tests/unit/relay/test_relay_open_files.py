"""The limit of open files, tried in a process of its own."""

import subprocess
import sys

_PROGRAM = """
import resource
from shared.relay.open_files import clients_within, raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))
print(raise_open_files(), resource.getrlimit(resource.RLIMIT_NOFILE), clients_within(4096), clients_within(100))
"""


def test_the_soft_limit_is_raised_to_the_hard_one_and_leaves_room_for_upstreams() -> None:
    said = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True).stdout

    assert said == "4096 (4096, 4096) 1984 1\n"
