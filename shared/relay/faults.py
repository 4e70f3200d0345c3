"""Why a message is not acceptable, and the status that says so."""

from types import MappingProxyType
from typing import Final

from shared.relay.director import FaultKind

STATUS_OF_FAULT: Final = MappingProxyType(
    {
        FaultKind.BAD_REQUEST: 400,
        FaultKind.METHOD_NOT_ALLOWED: 405,
        FaultKind.REQUEST_TIMEOUT: 408,
        FaultKind.BODY_TOO_LARGE: 413,
        FaultKind.URI_TOO_LONG: 414,
        FaultKind.EXPECTATION_FAILED: 417,
        FaultKind.HEADERS_TOO_LARGE: 431,
        FaultKind.INTERNAL_ERROR: 500,
        FaultKind.UPSTREAM_ERROR: 502,
        FaultKind.OVERLOADED: 503,
        FaultKind.UPSTREAM_TIMEOUT: 504,
        FaultKind.VERSION_NOT_SUPPORTED: 505,
    }
)


class MessageRefused(Exception):
    """A head or body that breaks a rule. `detail` names the rule and never quotes the message."""

    def __init__(self, detail: str, kind: FaultKind = FaultKind.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
