"""Which files of a build context `.dockerignore` leaves out. Pure.

Facts: patterns are relative to the root of the context whether or not they begin with `/`; `*` and `?` stop at `/`, `**` does not; `!` takes
back; the last pattern that fits decides, and a pattern that fits a folder fits all that is in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    pattern: re.Pattern[str]
    ignores: bool


def ignore_rules(text: str) -> list[IgnoreRule]:
    rules = []
    for line in text.removeprefix("\ufeff").splitlines():
        entry = line.strip()
        if not entry or line.startswith("#"):
            continue
        ignores = not entry.startswith("!")
        name = "/".join(part for part in entry.removeprefix("!").strip().split("/") if part not in {"", "."})
        if name:
            rules.append(IgnoreRule(_pattern(name), ignores))
    return rules


def is_ignored(rules: Sequence[IgnoreRule], path: str) -> bool:
    """`path` relative to the root, with `/`."""
    fits = [rule.ignores for rule in rules if rule.pattern.match(path)]
    return fits[-1] if fits else False


def may_hold_exceptions(rules: Sequence[IgnoreRule]) -> bool:
    """Whether an ignored folder has to be looked into all the same."""
    return any(not rule.ignores for rule in rules)


def _pattern(name: str) -> re.Pattern[str]:
    parts = []
    at = 0
    while at < len(name):
        if name.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif name.startswith("**", at):
            parts.append(".*")
            at += 2
        else:
            piece, at = _piece(name, at)
            parts.append(piece)
    return re.compile("".join(parts) + r"(?:/.*)?\Z", re.DOTALL)


def _piece(name: str, at: int) -> tuple[str, int]:
    char = name[at]
    if char == "*":
        return "[^/]*", at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "\\" and at + 1 < len(name):
        return re.escape(name[at + 1]), at + 2
    end = name.find("]", at + 2)
    if char == "[" and end > 0:
        inside = name[at + 1 : end].replace("\\", "\\\\")
        return f"[{inside}]", end + 1
    return re.escape(char), at + 1
