"""Relay processes verify with public keys alone, and follow a rotation."""

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
import jwt

from tests.integration.gateway_data.conftest import (
    REPOSITORY,
    GatewayProcess,
    SignUp,
    Visitor,
    until,
)
from tests.integration.gateway_processes.conftest import StartProcesses, kill, serving, until_all_serve


async def test_a_relay_process_starts_and_verifies_without_reading_a_private_key(
    start_processes: StartProcesses, sign_up: SignUp
) -> None:
    gateway = await start_processes(2)
    ada = await sign_up(gateway)
    await until_all_serve(ada, 2)
    for path in (gateway.folder / "data" / "keys").iterdir():
        path.chmod(0o644)  # whoever reads it now refuses to go on
    before = {relay["pid"] for relay in await serving(ada)}

    for pid in before:
        kill(pid)
        await until(lambda pid=pid: _serve_without(gateway, ada, pid))
    await until_all_serve(ada, 2)

    assert before.isdisjoint(relay["pid"] for relay in await serving(ada))
    assert await _statuses(gateway, ada.token) == {200: 16}


async def test_a_new_signing_key_is_known_to_every_relay_process_before_it_signs(
    start_processes: StartProcesses, sign_up: SignUp
) -> None:
    gateway = await start_processes(2)
    ada = await sign_up(gateway)
    await until_all_serve(ada, 2)
    old = jwt.get_unverified_header(ada.token)["kid"]

    await asyncio.to_thread(_rotate, gateway)
    await until(lambda: _signs_with_another(gateway, sign_up, old))
    fresh = await sign_up(gateway)

    assert await _statuses(gateway, fresh.token) == {200: 16}
    assert await _statuses(gateway, ada.token) == {200: 16}


def _rotate(gateway: GatewayProcess) -> None:
    command = [sys.executable, "-m", "gateway", "keys", "rotate"]
    subprocess.run(command, cwd=REPOSITORY, env=gateway.environment, check=True, stdout=subprocess.DEVNULL)


async def _signs_with_another(gateway: GatewayProcess, sign_up: SignUp, kid: str) -> bool:
    await asyncio.sleep(0.5)
    return jwt.get_unverified_header((await sign_up(gateway)).token)["kid"] != kid


async def _serve_without(gateway: GatewayProcess, visitor: Visitor, pid: int) -> bool:
    try:
        relays = await serving(visitor)
    except aiohttp.ClientError:
        return False
    return len(relays) == 2 and pid not in {relay["pid"] for relay in relays}


async def _statuses(gateway: GatewayProcess, token: str) -> Counter[int]:
    """Over connections of their own, which the processes share."""
    headers = {"Authorization": f"Bearer {token}"}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(aiohttp.ClientSession()) for _ in range(16)]
        return Counter(await asyncio.gather(*(_status(client, gateway, headers) for client in clients)))


async def _status(client: aiohttp.ClientSession, gateway: GatewayProcess, headers: dict[str, str]) -> int:
    async with client.get(f"{gateway.url}/api/v1/me", headers=headers) as response:
        return response.status
