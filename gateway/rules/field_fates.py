"""What becomes of a request field on its way upstream, by its name alone.

A name counts in every spelling: any case, and `.` and `_` read as `-`, because servers behind us may read them so
(CVE-2026-88011). Fates are remembered by the spelling seen, up to a bound, so that a request costs one look-up a field.
"""

from enum import Enum
from typing import Final

from shared.identity import REQUEST_ID, is_managed

_FOLD: Final = bytes.maketrans(b"._", b"--")
_CREDENTIALS: Final = frozenset((b"authorization", b"x-api-key"))
_PROXY: Final = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))
_REQUEST_ID: Final = REQUEST_ID.lower().encode()
_CLIENT_REQUEST_ID: Final = b"x-client-request-id"
_MOST: Final = 4096


class Fate(Enum):
    ONWARD = "onward"
    """Goes on as it is."""

    CREDENTIAL = "credential"
    """Ours to read, nobody else's."""

    MANAGED = "managed"
    """A name that only the gateway may use."""

    REQUEST_ID = "request_id"
    """The client's own id, which goes on under another name."""

    PROXY = "proxy"
    """About the way here: believed from a trusted proxy only."""


class Fates(dict[bytes, Fate]):
    """By field name, in any spelling. A look-up never fails."""

    def __missing__(self, name: bytes) -> Fate:
        fate = _fate(name.lower())
        if len(self) < _MOST:
            self[name] = fate
        return fate


FATES: Final = Fates()


def _fate(lowered: bytes) -> Fate:
    folded = lowered.translate(_FOLD)
    if lowered == _REQUEST_ID:
        return Fate.REQUEST_ID
    if is_managed(lowered) or folded == _CLIENT_REQUEST_ID != lowered:
        return Fate.MANAGED
    if folded in _CREDENTIALS:
        return Fate.CREDENTIAL
    if folded in _PROXY:
        return Fate.PROXY
    return Fate.ONWARD
