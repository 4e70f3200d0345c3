"""The processor time of a process by thread, as the kernel counts it: the loop's own, and that of all who write and read files for it."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """Seconds. `loop_*` is the first thread, in which the event loop runs; `others_*` all others together."""

    loop_user: float
    loop_kernel: float
    others_user: float
    others_kernel: float

    def since(self, before: "ThreadTime") -> "ThreadTime":
        return ThreadTime(
            self.loop_user - before.loop_user,
            self.loop_kernel - before.loop_kernel,
            self.others_user - before.others_user,
            self.others_kernel - before.others_kernel,
        )


def thread_time(pid: int) -> ThreadTime:
    user, kernel = {True: 0, False: 0}, {True: 0, False: 0}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(") ")[2].split()
        is_loop = int(task.name) == pid
        user[is_loop] += int(fields[11])
        kernel[is_loop] += int(fields[12])
    return ThreadTime(
        user[True] / _TICKS, kernel[True] / _TICKS, user[False] / _TICKS, kernel[False] / _TICKS
    )
