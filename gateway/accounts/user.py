"""The values that the accounts are made of. Times are Unix seconds."""

from dataclasses import dataclass
from typing import NewType

from gateway.accounts.email import Email
from gateway.accounts.principal import OrgId, PlanId, Role, UserId, UserStatus

SessionId = NewType("SessionId", str)
KeyId = NewType("KeyId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`org_id` is the user's personal organisation. `name` is empty when none was given."""

    id: UserId
    email: Email
    name: str
    org_id: OrgId
    plan_id: PlanId
    role: Role
    status: UserStatus
    created_at: float

    @property
    def administrates(self) -> bool:
        return self.role is Role.ADMIN and self.status is UserStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in; it lives exactly as long as the token that was issued for it."""

    id: SessionId
    user_id: UserId
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class SignedIn:
    user: User
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An API key as it may be shown again: `prefix` is its beginning, for people to recognise it."""

    id: KeyId
    user_id: UserId
    name: str
    prefix: str
    created_at: float
    last_used_at: float | None
    expires_at: float | None
