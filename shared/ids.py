"""Identifiers: time-ordered for requests (UUIDv7, RFC 9562 section 5.7), opaque for everything else."""

import os
import secrets
from collections.abc import Callable

from shared.clock import Clock


def new_id(prefix: str) -> str:
    """`prefix` + 128 random bits in lower-case hex."""
    return prefix + secrets.token_hex(16)


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A random digit with its two upper bits replaced by those of the variant."""


def request_ids(clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> Callable[[], str]:
    """A source of UUIDv7 strings.

    Random bits are drawn in blocks: one `urandom` system call for every 256 identifiers instead of one each, since the
    relay takes one per request.
    """
    block = b""
    position = 0
    last_millis = -1
    prefix = ""

    def next_id() -> str:
        nonlocal block, position, last_millis, prefix
        if position >= len(block):
            block = random_bytes(10 * 256)
            position = 0
        digits = block[position : position + 10].hex()
        position += 10
        millis = int(clock.now() * 1000) & 0xFFFF_FFFF_FFFF
        if millis != last_millis:
            last_millis = millis
            prefix = f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7"
        return f"{prefix}{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"

    return next_id
