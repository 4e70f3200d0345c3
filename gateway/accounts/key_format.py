"""The form of an API key: `ak_`, 43 random base62 characters (256 bits), 6 of checksum.

The checksum lets a mistyped or invented key be refused without a look-up, and lets scanners recognise a leaked one.
"""

import re
import secrets
import zlib
from typing import Final

PREFIX: Final = "ak_"

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_FORM: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")
_SHOWN: Final = len(PREFIX) + 8


def new_key() -> str:
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return PREFIX + secret + _checksum(secret)


def is_well_formed(text: str) -> bool:
    if _FORM.fullmatch(text) is None:
        return False
    body = text[len(PREFIX) :]
    return _checksum(body[:_SECRET_LENGTH]) == body[_SECRET_LENGTH:]


def shown_prefix(key: str) -> str:
    """What may be shown of a key: 8 of its 43 secret characters leave more than 200 bits to guess."""
    return key[:_SHOWN]


def _checksum(secret: str) -> str:
    rest = zlib.crc32(secret.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
