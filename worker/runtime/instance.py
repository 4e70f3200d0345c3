"""Which worker we are towards the engine: the value of our instance label, so that two workers on one engine never meet."""

import re
from pathlib import Path

from shared.durable_file import write_private
from shared.ids import new_id

_FORM = re.compile(r"w_[0-9a-f]{32}")


class InstanceUnreadable(Exception):
    """The file with our instance id is damaged. A new id would orphan every container, so this needs a person."""


def load_instance(folder: Path) -> str:
    """Reads `instance`, or makes it the first time. Blocking."""
    path = folder / "instance"
    if not path.exists():
        write_private(path, new_id("w_").encode())
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if _FORM.fullmatch(text) is None:
        raise InstanceUnreadable(f"{path} does not hold an instance id")
    return text
