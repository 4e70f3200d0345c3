"""Identifiers: time-ordered for requests (UUIDv7, RFC 9562 section 5.7), opaque for everything else."""

import os
import secrets
from collections.abc import Callable
from typing import Final

from shared.clock import Clock


def new_id(prefix: str) -> str:
    """`prefix` + 128 random bits in lower-case hex."""
    return prefix + secrets.token_hex(16)


_BLOCK: Final = 256
_RANDOM: Final = 10
_VARIANTS: Final = {f"{number:x}": "89ab"[number >> 2] for number in range(16)}


class _RequestIds:
    __slots__ = ("_beginning", "_clock", "_endings", "_from", "_random_bytes", "_until")

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._endings: list[str] = []
        self._beginning = ""
        self._from = self._until = 0.0

    def __call__(self) -> str:
        now = self._clock.now()
        if not self._from <= now < self._until:
            self._begin(int(now * 1000))
        if not self._endings:
            self._endings = _endings(self._random_bytes(_RANDOM * _BLOCK))
        return self._beginning + self._endings.pop()

    def _begin(self, millis: int) -> None:
        self._from, self._until = millis / 1000, (millis + 1) / 1000
        stamp = millis & 0xFFFF_FFFF_FFFF
        digits = stamp.to_bytes(6, "big").hex()
        self._beginning = f"{digits[:8]}-{digits[8:]}-7"


def request_ids(clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> Callable[[], str]:
    """A source of UUIDv7 strings.

    Random bits are drawn in blocks: one `urandom` system call for every 256 identifiers instead of one each, since the
    relay takes one per request.
    """
    return _RequestIds(clock, random_bytes)


def _endings(random: bytes) -> list[str]:
    """12 random bits, then the two bits of the variant and 62 random ones."""
    digits = random.hex()
    return [
        f"{digits[at + 1 : at + 4]}-{_VARIANTS[digits[at + 4]]}{digits[at + 5 : at + 8]}-{digits[at + 8 : at + 20]}"
        for at in range(0, len(digits), 2 * _RANDOM)
    ]
