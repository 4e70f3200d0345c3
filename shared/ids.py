"""Identifiers: time-ordered for requests (UUIDv7, RFC 9562 section 5.7), opaque for everything else."""

import os
import secrets
from collections.abc import Callable

from shared.clock import Clock


def new_id(prefix: str) -> str:
    """`prefix` + 128 random bits in lower-case hex."""
    return prefix + secrets.token_hex(16)


def request_ids(clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> Callable[[], str]:
    """A source of UUIDv7 strings.

    Random bits are drawn in blocks: one `urandom` system call for every 256 identifiers instead of one each, since the
    relay takes one per request.
    """
    block = b""
    position = 0

    def next_id() -> str:
        nonlocal block, position
        if position >= len(block):
            block = random_bytes(10 * 256)
            position = 0
        tail = block[position : position + 10]
        position += 10
        millis = int(clock.now() * 1000) & 0xFFFF_FFFF_FFFF
        random = int.from_bytes(tail, "big")
        # Version 7 and the variant each take the place of a few random bits.
        digits = f"{millis << 80 | 0x7000 << 64 | (random >> 68 & 0x0FFF) << 64 | 1 << 63 | random & 0x3FFF_FFFF_FFFF_FFFF:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    return next_id
