"""Tokens and keys against a real key server, with time moved on by the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.worker_mesh.movable_clock import MovableClock
from tests.integration.worker_mesh.token_issuer import TokenIssuer
from worker.mesh.claims import Claims
from worker.mesh.errors import KeysUnavailable, TokenInvalid, TokenOutOfDate
from worker.mesh.keys import MeshKeys
from worker.mesh.tokens import CACHE_TOKENS, MeshTokens


@dataclass(frozen=True, slots=True)
class Desk:
    issuer: TokenIssuer
    clock: MovableClock
    keys: MeshKeys
    tokens: MeshTokens

    async def verify(self, token: str) -> Claims:
        claims = self.tokens.verify(token)
        return claims if isinstance(claims, Claims) else await claims


@pytest.fixture
async def desk(http: aiohttp.ClientSession) -> AsyncIterator[Desk]:
    issuer, clock = TokenIssuer(), MovableClock()
    async with issuer.serving() as url:
        keys = MeshKeys(url, http, clock)
        yield Desk(issuer, clock, keys, MeshTokens(keys, clock))


async def test_the_first_token_waits_for_the_keys_and_the_next_one_does_not(desk: Desk) -> None:
    token = desk.issuer.token()
    taken = await asyncio.gather(*(desk.verify(token) for _ in range(20)))

    assert {claims.org_id for claims in taken} == {"org_a"}
    assert desk.issuer.served == 1
    assert isinstance(desk.tokens.verify(desk.issuer.token("org_b")), Claims)


async def test_expiry_is_checked_on_a_remembered_token_too(desk: Desk) -> None:
    token = desk.issuer.token(ttl=10)
    await desk.verify(token)
    desk.clock.shift += 20
    await desk.verify(token)
    desk.clock.shift += 21

    with pytest.raises(TokenOutOfDate):
        await desk.verify(token)


async def test_a_withdrawn_key_ends_what_was_verified_with_it(desk: Desk) -> None:
    token = desk.issuer.token()
    await desk.verify(token)
    desk.issuer.keys = {"k2": Ed25519PrivateKey.generate()}
    desk.clock.shift += 5
    await desk.verify(desk.issuer.token(kid="k2"))

    with pytest.raises(TokenInvalid):
        await desk.verify(token)


async def test_strangers_cannot_make_us_ask_for_keys_more_than_every_five_seconds(desk: Desk) -> None:
    await desk.verify(desk.issuer.token())
    stranger = TokenIssuer(keys={f"k{number}": Ed25519PrivateKey.generate() for number in range(10, 30)})
    for kid in stranger.keys:
        with pytest.raises(TokenInvalid):
            await desk.verify(stranger.token(kid=kid))
        desk.clock.shift += 1

    assert 1 < desk.issuer.served <= 1 + 20 / 5


async def test_the_last_good_keys_stay_while_the_gateway_is_away(desk: Desk) -> None:
    await desk.verify(desk.issuer.token())
    desk.issuer.away = True
    desk.clock.shift += 600
    await desk.keys.learn()

    assert desk.issuer.served == 2
    assert (await desk.verify(desk.issuer.token(ttl=900))).org_id == "org_a"


async def test_without_any_keys_nobody_is_called_a_liar(desk: Desk) -> None:
    desk.issuer.away = True
    with pytest.raises(KeysUnavailable):
        await desk.verify(desk.issuer.token())
    desk.issuer.away = False
    desk.clock.shift += 5

    assert (await desk.verify(desk.issuer.token())).org_id == "org_a"


async def test_a_set_without_a_usable_key_replaces_nothing(desk: Desk) -> None:
    await desk.verify(desk.issuer.token())
    kept, desk.issuer.keys = desk.issuer.keys, {}
    desk.clock.shift += 300
    await desk.keys.learn()
    desk.issuer.keys = kept

    assert desk.issuer.served == 2
    assert isinstance(desk.tokens.verify(desk.issuer.token(ttl=900)), Claims)


async def test_memory_for_tokens_is_bounded(desk: Desk) -> None:
    for number in range(CACHE_TOKENS + 50):
        await desk.verify(desk.issuer.token(f"org_{number}"))

    assert len(desk.tokens._verified) == CACHE_TOKENS
