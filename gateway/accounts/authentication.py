"""The Authenticator: from a credential to its principal, without a look-up for most requests."""

import sqlite3
from collections.abc import Awaitable

from typing_extensions import override

from gateway.accounts.api_keys import ApiKeys, key_hash
from gateway.accounts.directory import Directory, Standing
from gateway.accounts.key_format import is_well_formed
from gateway.accounts.principal import ApiKey, Authenticator, Credential, Principal
from gateway.accounts.sessions import Sessions
from gateway.accounts.user import SessionId
from gateway.errors import InvalidApiKey, InvalidToken, KeyExpired, KeyRevoked, TokenRevoked
from gateway.tokens.claims import Claims
from gateway.tokens.verification import TokenVerifier
from shared.clock import Clock


class AccountAuthenticator(Authenticator):
    """Failure policy: a `sqlite3.Error` of a look-up goes to the caller; nothing is let in on it."""

    def __init__(
        self,
        verifier: TokenVerifier,
        directory: Directory,
        sessions: Sessions,
        keys: ApiKeys,
        clock: Clock,
    ) -> None:
        self._verifier = verifier
        self._directory = directory
        self._sessions = sessions
        self._keys = keys
        self._clock = clock
        self._used_keys: set[str] = set()

    @override
    def authenticate(self, credential: Credential) -> Principal | Awaitable[Principal]:
        now = self._clock.now()
        if isinstance(credential, ApiKey):
            return self._by_key(credential.text, now)
        claims = self._verifier.verify(credential.text, now)
        standing = self._directory.find(claims.session_id, now)
        if standing is None:
            return self._look_up_session(claims, now)
        return _session_principal(claims, standing)

    async def note_used_keys(self) -> None:
        """Writes `last_used_at` of the keys seen since the last call. On `sqlite3.Error` they are noted the next time."""
        used = self.take_used_keys()
        try:
            await self._keys.note_use(used)
        except sqlite3.Error:
            self._used_keys |= used
            raise

    def take_used_keys(self) -> set[str]:
        """Those seen since the last call."""
        used, self._used_keys = self._used_keys, set()
        return used

    def _by_key(self, text: str, now: float) -> Principal | Awaitable[Principal]:
        hashed = key_hash(text)
        standing = self._directory.find(hashed, now)
        if standing is not None:
            return _key_principal(standing, now)
        if not is_well_formed(text):
            raise InvalidApiKey
        return self._look_up_key(hashed, now)

    async def _look_up_session(self, claims: Claims, now: float) -> Principal:
        generation = self._directory.generation
        standing = await self._sessions.standing(SessionId(claims.session_id))
        if standing is None:
            raise TokenRevoked
        self._directory.keep(claims.session_id, standing, now, generation)
        return _session_principal(claims, standing)

    async def _look_up_key(self, hashed: bytes, now: float) -> Principal:
        generation = self._directory.generation
        standing = await self._keys.standing(hashed)
        if standing is None:
            raise InvalidApiKey
        self._directory.keep(hashed, standing, now, generation)
        principal = _key_principal(standing, now)
        self._used_keys.add(principal.key_id)
        return principal


def _session_principal(claims: Claims, standing: Standing) -> Principal:
    """The token's own expiry was checked by the verifier; what the account says now counts, not what the token says."""
    if standing.ended:
        raise TokenRevoked
    principal = standing.principal
    if principal.user_id != claims.user_id:
        raise InvalidToken
    return principal


def _key_principal(standing: Standing, now: float) -> Principal:
    if standing.ended:
        raise KeyRevoked
    if standing.expires_at is not None and now >= standing.expires_at:
        raise KeyExpired
    return standing.principal
