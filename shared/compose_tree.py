"""What every reader of a compose file understands in the same way, whether it permits one or carries it out. Pure.

Each reading collects faults under the field's full name; after one, the value that is returned is a placeholder.
"""

import re
import shlex
from collections.abc import Mapping

from shared.environment import EnvironmentInvalid, check_environment
from shared.image_names import is_permitted
from shared.problem import FieldFault

HEALTHCHECK_KEYS = (
    "test", "interval", "timeout", "retries", "start_period", "disable", "x-path", "x-deadline",
)  # fmt: skip
NOT_FOR_TENANTS = frozenset({"proc", "sys", "dev"})
"""The kernel's own folders: nothing is mounted over them."""

_DURATION = re.compile(
    r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m(?!s))?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9})ms)?"
)
_SECONDS = (3600, 60, 1, 0.001)


class TreeReader:
    """`stranger` is what is said of a key that is not one of those allowed."""

    def __init__(self, stranger: str) -> None:
        self.faults: list[FieldFault] = []
        self._stranger = stranger

    def fault(self, field: str, message: str) -> None:
        self.faults.append(FieldFault(field, message))

    def mapping(self, tree: object, at: str, allowed: tuple[str, ...] | None) -> Mapping[str, object]:
        """`allowed` None: any key."""
        if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
            self.fault(at, "must be a mapping")
            return {}
        for key in tree:
            if allowed is not None and key not in allowed:
                self.fault(f"{at}.{key}", self._stranger)
        return tree

    def image(self, value: object, at: str) -> str:
        if not isinstance(value, str) or not is_permitted(value):
            self.fault(at, "must be an image name such as localhost/hello:1 or nginx:1.27")
            return ""
        return value

    def words(self, value: object, at: str) -> tuple[str, ...] | None:
        """At least one, where any are given; a text is split like a shell does."""
        if value is None:
            return None
        words: object = value
        if isinstance(value, str):
            try:
                words = shlex.split(value)
            except ValueError:
                self.fault(at, "has an unclosed quotation")
                return None
        if (
            not isinstance(words, list)
            or not words
            or not all(isinstance(word, str) and "\0" not in word for word in words)
        ):
            self.fault(at, "must be a text, or a list of texts, of at least one word and without NUL")
            return None
        return tuple(words)

    def environment(self, value: object, at: str) -> Mapping[str, str]:
        if isinstance(value, list) and all(isinstance(item, str) and "=" in item for item in value):
            value = dict(str(item).split("=", 1) for item in value)
        found: dict[str, str] = {}
        for name, item in ({} if value is None else self.mapping(value, at, None)).items():
            if isinstance(item, bool):
                found[name] = "true" if item else "false"
            elif isinstance(item, str | int | float):
                found[name] = str(item)
            else:
                self.fault(f"{at}.{name}", "must be a text or a number")
        try:
            check_environment(found)
        except EnvironmentInvalid as invalid:
            self.fault(f"{at}.{invalid.name}".rstrip("."), str(invalid))
            return {}
        return found


def duration_s(text: str) -> float | None:
    """`1h2m3.5s` or `500ms` in seconds; None when it is no duration."""
    form = _DURATION.fullmatch(text)
    if form is None or not text:
        return None
    return sum(float(part or 0) * unit for part, unit in zip(form.groups(), _SECONDS, strict=True))
