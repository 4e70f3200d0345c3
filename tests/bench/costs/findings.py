"""What one measurement has found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Findings:
    """A table, whose first row is its head, and what is to be said of it."""

    title: str
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()


def verdict(what: str, seen: float, most: float, unit: str) -> str:
    fate = "reached" if seen <= most else "missed"
    return f"target: {what} at most {most:g} {unit}; seen {seen:.1f} {unit}: {fate}"
