"""Step 5: the user is active."""

from typing import NamedTuple

from gateway.accounts.principal import Principal, UserStatus
from gateway.errors import UserSuspended
from gateway.steps.step_04_verify_credential import Verified


class ActiveUser(NamedTuple):
    principal: Principal


def check_user_status(verified: Verified) -> ActiveUser:
    """Raises UserSuspended."""
    if verified.principal.status is not UserStatus.ACTIVE:
        raise UserSuspended
    return ActiveUser(verified.principal)
