"""The signing keys of a running gateway: kept in step with the folder, used to issue, to verify and to publish."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import structlog

from gateway.accounts.principal import OrgId, PlanId, UserId
from gateway.accounts.user import Session
from gateway.tokens.claims import Claims, sign
from gateway.tokens.jwks import jwks
from gateway.tokens.key_files import create_key, file_names, key_folder, read_keys
from gateway.tokens.key_ring import KeyRing
from gateway.tokens.published_keys import published
from gateway.tokens.verification import TokenVerifier
from shared.clock import Clock

Published = Sequence[Mapping[str, object]]


class Tokens:
    def __init__(
        self, folder: Path, ring: KeyRing, names: frozenset[str], life_s: float, clock: Clock
    ) -> None:
        self._folder = folder
        self._ring = ring
        self._names = names
        self._life_s = life_s
        self._clock = clock
        self._log = structlog.get_logger("tokens")
        self.verifier = TokenVerifier(ring)
        self.publish: Callable[[Published], None] = _to_nobody
        """Called with the public halves whenever the keys have changed."""

    @classmethod
    async def open(cls, data_dir: Path, life_s: float, clock: Clock) -> Self:
        """Creates the first key. Raises KeyFileInvalid, OSError."""
        folder = key_folder(data_dir)
        names, ring = await asyncio.to_thread(_open_ring, folder, life_s, clock.now())
        return cls(folder, ring, names, life_s, clock)

    def issue(self, user_id: UserId, org_id: OrgId, plan_id: PlanId, session: Session) -> str:
        claims = Claims(
            user_id=user_id,
            org_id=org_id,
            plan_id=plan_id,
            session_id=session.id,
            issued_at=int(session.created_at),
            expires_at=int(session.expires_at),
        )
        return sign(self._ring.signer(self._clock.now()), claims)

    def jwks(self) -> Mapping[str, object]:
        return jwks(self._ring.verifying(self._clock.now()))

    def published(self) -> Published:
        return published(self._ring, self._clock.now())

    async def follow(self) -> None:
        """Takes up keys that were added or removed. Failure policy: the keys in use stay; KeyFileInvalid or OSError to the caller."""
        if await asyncio.to_thread(file_names, self._folder) == self._names:
            return
        names, ring = await asyncio.to_thread(_read_ring, self._folder, self._life_s)
        self._names = names
        self._ring = ring
        self.verifier.use(ring)
        self.publish(self.published())
        self._log.info("signing_keys_changed", keys=len(names))


def _to_nobody(_keys: Published) -> None:
    """There is one process."""


def _open_ring(folder: Path, life_s: float, now: float) -> tuple[frozenset[str], KeyRing]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file_names(folder):
        create_key(folder, now)
    return _read_ring(folder, life_s)


def _read_ring(folder: Path, life_s: float) -> tuple[frozenset[str], KeyRing]:
    # Listed before they are read: a key that appears in between is then found by the next look, not missed.
    names = file_names(folder)
    return names, KeyRing(read_keys(folder), life_s)
