"""What the commands print."""

import sys
from collections.abc import Iterable, Sequence


def line(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(title: str, rows: Iterable[Sequence[str]]) -> None:
    line(rendered(title, rows))


def rendered(title: str, rows: Iterable[Sequence[str]]) -> str:
    """Rows of the same length, each column as wide as its widest cell."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = (
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join([title, *cells])
