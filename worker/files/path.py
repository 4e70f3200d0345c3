"""Which paths may be asked for. Pure.

A path is read once: split at `/`, empty parts and `.` left out; a leading `/` is the root of the container. `..` is refused wherever it
stands, so that nobody has to prove where it would lead.
"""

LONGEST_PATH = 4096
LONGEST_NAME = 255
DEEPEST = 64


class PathInvalid(Exception):
    """Not a path that can be looked at."""


def checked_path(text: str) -> tuple[str, ...]:
    """The names from the root down. Raises PathInvalid."""
    if "\0" in text:
        raise PathInvalid("A path cannot hold a NUL character.")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PathInvalid("A path must be valid Unicode text.") from None
    names = tuple(name for name in text.split("/") if name not in {"", "."})
    if ".." in names:
        raise PathInvalid("A path cannot hold `..`.")
    if (
        size > LONGEST_PATH
        or len(names) > DEEPEST
        or any(len(name.encode()) > LONGEST_NAME for name in names)
    ):
        raise PathInvalid(
            f"A path has at most {LONGEST_PATH} bytes and {DEEPEST} names of {LONGEST_NAME} bytes each."
        )
    return names


def joined(names: tuple[str, ...]) -> str:
    return "/" + "/".join(names)
