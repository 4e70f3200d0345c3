"""Why there is no (further) response, and what the client is told then."""

from enum import Enum
from types import MappingProxyType
from typing import Final

from shared.relay.director import FaultKind


class LossReason(Enum):
    DISCONNECTED = "disconnected"
    BAD_RESPONSE = "bad response"
    TIMEOUT = "timeout"


FAULT_OF_LOSS: Final = MappingProxyType(
    {
        LossReason.TIMEOUT: (FaultKind.UPSTREAM_TIMEOUT, "The upstream did not answer in time."),
        LossReason.BAD_RESPONSE: (FaultKind.UPSTREAM_ERROR, "The upstream's answer was not usable."),
        LossReason.DISCONNECTED: (FaultKind.UPSTREAM_ERROR, "The upstream could not be reached, or hung up."),
    }
)
