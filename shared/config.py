"""Reading configuration from environment variables: every fault reported at once, secrets never shown."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from typing_extensions import override

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class ConfigInvalid(Exception):
    """`faults` are sentences for the operator, one per variable."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Secret:
    """Bytes that do not appear in a log, a repr or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(***)"


def parse_duration(text: str) -> float:
    """Seconds in `500ms`, `30s`, `5m`, `24h`, `7d`; raises ValueError."""
    form = _DURATION.fullmatch(text.strip())
    if form is None:
        raise ValueError(f"{text!r} is not a duration such as 500ms, 30s, 5m, 24h")
    return float(form[1]) * _SECONDS[form[2]]


class Environment:
    """Reads variables one by one, collects what is wrong, and says it all in `close`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._faults: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._variables.get(name) or default

    def optional(self, name: str) -> str | None:
        return self._variables.get(name) or None

    def path(self, name: str, default: str) -> Path:
        return Path(self.text(name, default))

    def integer(self, name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            self._faults.append(f"{name} must be a whole number from {least} to {most}, not {text!r}")
            return default
        return int(text)

    def port(self, name: str, default: int) -> int:
        return self.integer(name, default, most=65535)

    def duration(self, name: str, default: str) -> float:
        try:
            return parse_duration(self.text(name, default))
        except ValueError as error:
            self._faults.append(f"{name}: {error}")
            return parse_duration(default)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name, default).lower()
        if text not in allowed:
            self._faults.append(f"{name} must be one of {', '.join(allowed)}, not {text!r}")
            return default
        return text

    def flag(self, name: str, *, default: bool) -> bool:
        return self.choice(name, "1" if default else "0", ("0", "1")) == "1"

    def secret(self, name: str, *, least_bytes: int = 32) -> Secret:
        """Required. Its value is never part of a fault."""
        value = self._variables.get(name, "").encode()
        if not value:
            self._faults.append(f"{name} is required: at least {least_bytes} bytes")
        elif len(value) < least_bytes:
            self._faults.append(f"{name} is too short: {len(value)} bytes, at least {least_bytes} are needed")
        return Secret(value)

    def fault(self, sentence: str) -> None:
        """Adds a fault that concerns several variables."""
        self._faults.append(sentence)

    def close(self) -> Self:
        if self._faults:
            raise ConfigInvalid(self._faults)
        return self
