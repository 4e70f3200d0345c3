"""The id of a log event: everything a reader had when it got it, so that any agent can go on from there. Pure.

Form: `<epoch>-<sequence>`. The sequence is the line's mark. The epoch names the line's container and, when the project has more of them, how far
the reader was in each of the others: `<container>[_<other>.<hex mark>]...`. Within one container, ids are the same for every reader.
"""

import re
from collections.abc import Mapping

from worker.logs.line import LogLine

_FORM = re.compile(r"([0-9a-f]{12})((?:_[0-9a-f]{12}\.[0-9a-f]{1,24})*)-([0-9]{1,28})")


class Cursor:
    """How far one reader is: the mark of the last line it had, by container; 0 before the first line of all."""

    def __init__(self, marks: Mapping[str, int]) -> None:
        self._marks = dict(marks)

    def advance(self, line: LogLine) -> str:
        """Counts `line` as had, and returns its event id."""
        self._marks[line.container] = line.mark
        if len(self._marks) == 1:
            return f"{line.container}-{line.mark}"
        others = "".join(f"_{name}.{mark:x}" for name, mark in self._marks.items() if name != line.container)
        return f"{line.container}{others}-{line.mark}"

    def meet(self, container: str, mark: int) -> None:
        self._marks.setdefault(container, mark)

    def forget(self, container: str) -> None:
        """A container that is gone, and whose lines were all had, needs no place in ids any more."""
        self._marks.pop(container, None)


def read_event_id(text: str) -> dict[str, int] | None:
    """Marks by container; None for what is not an id of ours."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    marks = {form[1]: int(form[3])}
    for other in form[2].split("_")[1:]:
        container, _, mark = other.partition(".")
        marks[container] = int(mark, 16)
    return marks
