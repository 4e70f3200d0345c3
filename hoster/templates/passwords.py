"""Passwords that nobody chose. Each matches the pattern of its variable, or the template is refused when it is written."""

import re
import secrets
import string
from collections.abc import Iterator

from hoster.templates.variables import NoPasswordMatches

LENGTH = 32
LENGTH_MOST = 1024

_PLAIN = string.ascii_letters + string.digits + "-_"
"""What needs no quoting anywhere, neither in a URL nor in a shell: taken wherever the pattern leaves the choice."""
_PRINTABLE = _PLAIN + string.punctuation
_PIECE = re.compile(
    r"(?P<anchor>[\^$])|(?P<one>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\]*+?{}])"
    r"(?:(?P<any>[*+])|(?P<maybe>\?)|\{(?P<least>\d*)(?P<range>,(?P<most>\d*))?\})?\??"
)


def new_password(pattern: str | None) -> str:
    """Of at least 190 bits where the pattern permits. Raises NoPasswordMatches."""
    if pattern is None:
        return _chosen(_PLAIN, LENGTH)
    text = "".join(_chosen(alphabet, count) for alphabet, count in _pieces(pattern))
    if not text or len(text) > LENGTH_MOST or re.fullmatch(pattern, text) is None:
        raise NoPasswordMatches
    return text


def _chosen(alphabet: str, count: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


def _pieces(pattern: str) -> Iterator[tuple[str, int]]:
    """Patterns have no groups and no alternatives (see the template's document): each is a row of characters with their repetitions."""
    at = 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            raise NoPasswordMatches
        at = piece.end()
        if piece["anchor"] is None:
            yield _alphabet(piece["one"]), _count(piece)


def _alphabet(one: str) -> str:
    """Of the characters that this part of a pattern matches, those to choose from."""
    matching = "".join(each for each in {*_PRINTABLE, *one} if re.fullmatch(one, each))
    if not matching:
        raise NoPasswordMatches
    return "".join(each for each in matching if each in _PLAIN) or matching


def _count(piece: re.Match[str]) -> int:
    if piece["any"]:
        return LENGTH
    if piece["least"] is None:
        return 1
    least = int(piece["least"] or 0)
    most = int(piece["most"] or LENGTH) if piece["range"] else least
    return min(max(least, min(LENGTH, most)), LENGTH_MOST + 1)
