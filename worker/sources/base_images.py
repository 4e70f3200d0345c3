"""Which images a Dockerfile builds on or copies from, and whether each is a name that is there for all. Pure.

Facts (the classic builder): `FROM` may use the `ARG`s before the first `FROM` and has its quotes removed; `COPY --from` takes a stage by
name or number before it takes an image. An instruction goes on after the escape character at the end of a line, comments in between left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.image_names import is_somebodys

_ESCAPE_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*([`\\])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=.*")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:(?P<modifier>:?[-+])(?P<word>[^{}]*))?\}|(?P<bare>\w+))")
_MOST_NESTING = 10
_SPACES = re.compile(r"[\t\v\f\r ]+")
_FROM_FLAG = re.compile(r"--from=(\S*)")
_STAGE_NUMBER = re.compile(r"[0-9]{1,18}")
_QUOTES = str.maketrans("", "", "\"'\\`")
_NOTHING = frozenset({"", "scratch"})


@dataclass(frozen=True, slots=True)
class References:
    """`bases` are the images that stages begin with; `doubtful`, of these and of those copied from, what is, or may turn out to be, somebody
    else's.
    """

    bases: tuple[str, ...]
    doubtful: tuple[str, ...]


def references_in(dockerfile: str) -> References:
    lines = [line.removesuffix("\r") for line in dockerfile.removeprefix("\ufeff").split("\n")]
    escape = re.escape(_escape(lines))
    # Builders do not agree on whether two escape characters, or one before other white space, continue a line. Either reading counts.
    readings = (rf"{escape}\s*$", rf"(?<!{escape}){escape}[ \t]*$")
    bases: list[str] = []
    copied: list[str] = []
    for reading in readings:
        _read(_instructions(lines, re.compile(reading)), bases, copied)
    named = tuple(dict.fromkeys(base for base in bases if base not in _NOTHING))
    return References(named, tuple(one for one in dict.fromkeys([*named, *copied]) if _is_doubtful(one)))


def doubtful_triggers(triggers: Iterable[str]) -> tuple[str, ...]:
    """Of instructions that a base image brings into every build on top of it: each is read as a file of its own, as the builder does."""
    return tuple(one for trigger in triggers for one in references_in(trigger).doubtful)


def _read(instructions: Iterable[tuple[str, str]], bases: list[str], copied: list[str]) -> None:
    """Adds what is neither an earlier stage nor the number of one."""
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    has_base = False
    for name, rest in instructions:
        if name == "ARG" and not has_base:
            arguments |= _defaults(rest, arguments)
        elif name == "FROM":
            has_base = True
            words = [word for word in rest.split() if not word.startswith("--")]
            base = _plain(words[0], arguments) if words else ""
            if base.lower() not in stages:
                bases.append(base)
            if len(words) == 3:
                stages.add(_plain(words[2], {}).lower())
        elif name == "COPY":
            sources = [_plain(flag, {}) for flag in _FROM_FLAG.findall(rest)]
            copied += [
                source
                for source in sources
                if source.lower() not in stages and _STAGE_NUMBER.fullmatch(source) is None
            ]


def _is_doubtful(reference: str) -> bool:
    """A variable that is left has no value, or one that we did not work out."""
    return "$" in reference or is_somebodys(reference)


def _instructions(lines: list[str], continued: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Upper-case names with what follows them; the trigger of `ONBUILD` as if it stood alone."""
    text = ""
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("#") or not stripped:
            continue
        text += line
        if continued.search(text):
            text = continued.sub("", text)
            continue
        yield from _instruction(text)
        text = ""
    yield from _instruction(text)


def _instruction(text: str) -> Iterator[tuple[str, str]]:
    name, *rest = _SPACES.split(text.strip(), maxsplit=1)
    if name.upper() == "ONBUILD":
        yield from _instruction("".join(rest))
    elif name:
        yield name.upper(), "".join(rest).strip()


def _escape(lines: list[str]) -> str:
    for line in lines:
        chosen = _ESCAPE_DIRECTIVE.fullmatch(line.strip())
        if chosen is not None:
            return chosen[1]
        if _DIRECTIVE.fullmatch(line.strip()) is None:
            break
    return "\\"


def _defaults(rest: str, known: Mapping[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in rest.split())
    return {name: _plain(value, known) for name, _, value in pairs}


def _plain(word: str, arguments: Mapping[str, str]) -> str:
    """Without quotes, and with the variables that are known, the innermost first."""

    def value(variable: re.Match[str]) -> str:
        name, modifier, instead = (
            variable["braced"] or variable["bare"],
            variable["modifier"],
            variable["word"],
        )
        known = arguments.get(name)
        if modifier is None:
            return variable[0] if known is None else known
        is_set = known is not None and (known != "" or not modifier.startswith(":"))
        if modifier.endswith("-"):
            return str(known) if is_set else instead
        return instead if is_set else ""

    text = word.translate(_QUOTES)
    for _turn in range(_MOST_NESTING):
        before, text = text, _VARIABLE.sub(value, text)
        if text == before:
            break
    return text
