"""Which images a Dockerfile builds on or copies from, and whether each is a name and not the id of somebody else's. Pure.

Facts (the classic builder): `FROM` may use the `ARG`s before the first `FROM` and has its quotes removed; `COPY --from` takes a stage by
name or number before it takes an image. An instruction goes on after the escape character at the end of a line, comments in between left out.
"""

import re
from collections.abc import Iterable, Iterator

from worker.runtime.image_names import may_be_an_id

_ESCAPE_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*([`\\])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=.*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_EXPRESSION = re.compile(r"\$(?:\{[^}]*\}|\w+)")
_SPACES = re.compile(r"[\t\v\f\r ]+")
_FROM_FLAG = re.compile(r"--from=(\S*)")
_STAGE_NUMBER = re.compile(r"[0-9]{1,18}")
_QUOTES = str.maketrans("", "", "\"'\\`")


def ids_in(dockerfile: str) -> list[str]:
    """The references that are, or may turn out to be, ids of images."""
    lines = [line.removesuffix("\r") for line in dockerfile.removeprefix("\ufeff").split("\n")]
    escape = re.escape(_escape(lines))
    # Builders do not agree on whether two escape characters, or one before other white space, continue a line. Either reading counts.
    readings = (rf"{escape}\s*$", rf"(?<!{escape}){escape}[ \t]*$")
    found: list[str] = []
    for reading in readings:
        found += _ids_in(_instructions(lines, re.compile(reading)))
    return list(dict.fromkeys(found))


def _ids_in(instructions: Iterable[tuple[str, str]]) -> list[str]:
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    found = []
    has_base = False
    for name, rest in instructions:
        if name == "ARG" and not has_base:
            arguments |= _defaults(rest, arguments)
        elif name == "FROM":
            has_base = True
            words = [word for word in rest.split() if not word.startswith("--")]
            base = _plain(words[0], arguments) if words else ""
            if base.lower() not in stages and _is_doubtful(base):
                found.append(base)
            if len(words) == 3:
                stages.add(_plain(words[2], {}).lower())
        elif name == "COPY":
            sources = [_plain(flag, {}) for flag in _FROM_FLAG.findall(rest)]
            found += [
                source
                for source in sources
                if source.lower() not in stages
                and _STAGE_NUMBER.fullmatch(source) is None
                and _is_doubtful(source)
            ]
    return found


def _is_doubtful(reference: str) -> bool:
    if "$" not in reference:
        return may_be_an_id(reference)
    # A default we did not work out. What holds a slash is no id, nor is what has a tag behind a name that is not `sha256`.
    beginning = reference.partition("$")[0]
    return "/" not in _EXPRESSION.sub("", reference) and (":" not in beginning or may_be_an_id(beginning))


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


def _defaults(rest: str, known: dict[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in rest.split())
    return {name: _plain(value, known) for name, _, value in pairs}


def _plain(word: str, arguments: dict[str, str]) -> str:
    """Without quotes, and with the variables that are known."""
    return _VARIABLE.sub(
        lambda variable: arguments.get(variable[1] or variable[2], variable[0]), word.translate(_QUOTES)
    )
