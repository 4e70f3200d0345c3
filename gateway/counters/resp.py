"""Commands as Redis reads them (RESP): an array of bulk strings. In parts, so that what many commands have in common is encoded once."""

from functools import lru_cache
from typing import Final

Argument = str | bytes | int

_COUNTS: Final = 256


def bulk(argument: Argument) -> bytes:
    content = argument if isinstance(argument, bytes) else str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(content), content)


def bulks(*arguments: Argument) -> bytes:
    return b"".join([bulk(argument) for argument in arguments])


@lru_cache(maxsize=_COUNTS)
def count(arguments: int) -> bytes:
    """What a command of that many bulk strings begins with; its name is one of them."""
    return b"*%d\r\n" % arguments


def command(*arguments: Argument) -> bytes:
    return count(len(arguments)) + bulks(*arguments)
