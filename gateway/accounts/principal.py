"""Who a credential stands for. The seam between the accounts and the request pipeline."""

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Protocol

UserId = NewType("UserId", str)
OrgId = NewType("OrgId", str)
PlanId = NewType("PlanId", str)


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"


class UserStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """`key_id` is the API key's id, or the session's for a token."""

    user_id: UserId
    org_id: OrgId
    plan_id: PlanId
    key_id: str
    role: Role
    status: UserStatus


@dataclass(slots=True, init=False)
class BearerToken:
    text: str

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass(slots=True, init=False)
class ApiKey:
    text: str

    def __init__(self, text: str) -> None:
        self.text = text


Credential = BearerToken | ApiKey


class Authenticator(Protocol):
    def authenticate(self, credential: Credential) -> Principal | Awaitable[Principal]:
        """The principal, at once when everything needed is cached.

        Expiry, revocation and status are checked on every call, cached or not. Raises a `gateway.errors.Unauthenticated`; a
        suspended user is returned, with that status, for the pipeline's own step to refuse.
        """
