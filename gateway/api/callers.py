"""Who calls the control app: the credential of a request, and what its holder may do here."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from gateway.accounts.errors import SessionRequired
from gateway.accounts.key_format import PREFIX
from gateway.accounts.principal import (
    ApiKey,
    Authenticator,
    BearerToken,
    Credential,
    Principal,
    Role,
    UserId,
    UserStatus,
)
from gateway.accounts.user import SessionId
from gateway.errors import ConflictingCredentials, MissingCredentials, UserSuspended


class NotForYou(Exception):
    """There is nothing at this path."""


@dataclass(frozen=True, slots=True)
class SessionCaller:
    user_id: UserId
    session_id: SessionId


class Callers:
    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def user(self, request: web.Request) -> Principal:
        """By token or API key. Raises an Unauthenticated, ConflictingCredentials, UserSuspended."""
        return await self._active(credential_of(request))

    async def session(self, request: web.Request) -> SessionCaller:
        """By token only: a leaked API key must not be able to make itself another one, or to lock its owner out."""
        credential = credential_of(request)
        principal = await self._active(credential)
        if isinstance(credential, ApiKey):
            raise SessionRequired
        return SessionCaller(principal.user_id, SessionId(principal.key_id))

    async def admin(self, request: web.Request) -> Principal:
        """Raises NotForYou for everyone else who is signed in."""
        principal = await self.user(request)
        if principal.role is not Role.ADMIN:
            raise NotForYou
        return principal

    async def _active(self, credential: Credential) -> Principal:
        found = self._authenticator.authenticate(credential)
        principal = await found if inspect.isawaitable(found) else found
        if principal.status is UserStatus.SUSPENDED:
            raise UserSuspended
        return principal


def credential_of(request: web.Request) -> Credential:
    """Raises MissingCredentials, ConflictingCredentials."""
    texts = set(_credential_texts(request))
    if not texts:
        raise MissingCredentials
    if len(texts) > 1:
        raise ConflictingCredentials
    kind, text = texts.pop()
    return kind(text)


def forwarded_for(request: web.Request) -> list[str]:
    """Set by our own director on the private socket; the nearest address is the last."""
    return [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]


def client_address(request: web.Request) -> str:
    """For counting failures: the one entry that the client cannot have written."""
    addresses = forwarded_for(request)
    return addresses[-1] if addresses else "unknown"


def is_loopback(request: web.Request) -> bool:
    """Every hop must be: a proxy on this machine would otherwise make the whole world local."""
    addresses = forwarded_for(request)
    return bool(addresses) and all(_is_loopback(address) for address in addresses)


def _credential_texts(request: web.Request) -> Iterator[tuple[type[ApiKey] | type[BearerToken], str]]:
    for value in request.headers.getall("Authorization", ()):
        scheme, _, text = value.partition(" ")
        text = text.strip()
        if scheme.lower() == "bearer" and text:
            yield (ApiKey if text.startswith(PREFIX) else BearerToken), text
    for value in (*request.headers.getall("X-API-Key", ()), *request.query.getall("api_key", ())):
        if value:
            yield ApiKey, value.strip()


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
