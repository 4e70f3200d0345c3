"""What the environment of a program can carry. Pure.

Facts: Docker passes `KEY=value` as JSON text, so a value is any Unicode text but NUL; Linux refuses to start a program with a
single string above 128 KiB (MAX_ARG_STRLEN), or with more than 2 MiB of them and of arguments in all (a quarter of the usual stack).
"""

import re
from collections.abc import Mapping

LONGEST_ENTRY = 131_071
_MOST_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")


class EnvironmentInvalid(Exception):
    """`name` is the variable at fault, empty for all of them together; its value is never part of the message."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(fault)
        self.name = name


def check_environment(variables: Mapping[str, str]) -> None:
    """Raises EnvironmentInvalid."""
    for name, value in variables.items():
        check_name(name)
        _check_value(name, value)
    if sum(len(name) + len(value.encode()) + 2 for name, value in variables.items()) > _MOST_BYTES:
        raise EnvironmentInvalid("", f"all variables together are above {_MOST_BYTES} bytes")


def check_name(name: str) -> None:
    """Raises EnvironmentInvalid."""
    if _NAME.fullmatch(name) is None:
        raise EnvironmentInvalid(
            name[:64], "a name is letters, digits, '_', '.' and '-', and does not begin with a digit"
        )


def _check_value(name: str, value: str) -> None:
    if "\0" in value:
        raise EnvironmentInvalid(name, "a value cannot hold a NUL character")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise EnvironmentInvalid(name, "a value must be valid Unicode text") from None
    if len(name) + 1 + size > LONGEST_ENTRY:
        raise EnvironmentInvalid(name, f"name and value together are above {LONGEST_ENTRY} bytes")
