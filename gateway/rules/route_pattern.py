"""Path patterns of the route file, compiled to what is compared at run time.

Rules (contract "Route file"): in a glob only a trailing `*` is special; every match covers the whole canonical path.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_META: Final = frozenset(r".^$*+?{}[]|()\\")
_QUANTIFIER: Final = frozenset("*+?{")


class MatchKind(StrEnum):
    GLOB = "glob"
    EXACT = "exact"
    REGEX = "regex"


class BadPattern(Exception):
    """The pattern of a route cannot be compiled."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """`prefix` is literal and every matching path begins with it; `regex` is None when comparing text is enough."""

    source: str
    prefix: str
    is_exact: bool
    regex: re.Pattern[str] | None

    def match(self, path: str) -> dict[str, str] | None:
        """The named groups of a match, None without one."""
        if self.regex is None:
            found = path == self.prefix if self.is_exact else path.startswith(self.prefix)
            return {} if found else None
        form = self.regex.fullmatch(path)
        return None if form is None else {name: text or "" for name, text in form.groupdict().items()}


def compile_pattern(kind: MatchKind, source: str) -> PathPattern:
    """Raises BadPattern."""
    match kind:
        case MatchKind.EXACT:
            _require_slash(source)
            return PathPattern(source, source, is_exact=True, regex=None)
        case MatchKind.GLOB:
            _require_slash(source)
            if source.endswith("*"):
                return PathPattern(source, source[:-1], is_exact=False, regex=None)
            return PathPattern(source, source, is_exact=True, regex=None)
        case MatchKind.REGEX:
            try:
                regex = re.compile(source)
            except re.error as error:
                raise BadPattern(f"the regular expression does not compile: {error}") from error
            return PathPattern(source, literal_prefix(source), is_exact=False, regex=regex)


def never_matches_below(kind: MatchKind, source: str) -> bool:
    """Whether this looks like a prefix but is not one: `/api/` matches `/api/` alone."""
    return kind is MatchKind.GLOB and source.endswith("/") and source != "/"


def literal_prefix(source: str) -> str:
    """Text that every full match of the regular expression begins with; empty when that cannot be told."""
    if "|" in source and _has_top_level_alternative(source):
        return ""
    rest = source.removeprefix("^")
    prefix = []
    for position, character in enumerate(rest):
        if character in _META:
            break
        following = rest[position + 1 : position + 2]
        if following in _QUANTIFIER:
            break
        prefix.append(character)
    return "".join(prefix)


def _has_top_level_alternative(source: str) -> bool:
    depth = 0
    escaped = in_class = False
    for character in source:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "|" and depth == 0:
            return True
        else:
            depth += (character == "(") - (character == ")")
    return False


def _require_slash(source: str) -> None:
    if not source.startswith("/"):
        raise BadPattern("a path pattern begins with a slash")
