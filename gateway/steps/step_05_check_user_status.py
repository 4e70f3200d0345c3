"""Step 5: the user is active."""

from dataclasses import dataclass

from gateway.accounts.principal import Principal, UserStatus
from gateway.errors import UserSuspended
from gateway.steps.step_04_verify_credential import Verified


@dataclass(slots=True, init=False)
class ActiveUser:
    principal: Principal

    def __init__(self, principal: Principal) -> None:
        self.principal = principal


def check_user_status(verified: Verified) -> ActiveUser:
    """Raises UserSuspended."""
    if verified.principal.status is not UserStatus.ACTIVE:
        raise UserSuspended
    return ActiveUser(verified.principal)
