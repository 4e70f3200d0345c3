"""Starting, refusing to start, reloading, stopping: what an operator sees."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.gateway_data.conftest import (
    IDENTITY_SECRET,
    REPOSITORY,
    GatewayProcess,
    SignUp,
    StartGateway,
    Upstream,
    until,
)


async def run(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=30
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def environment(tmp_path: Path, free_port: Callable[[], int]) -> dict[str, str]:
    return {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(free_port()),
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "IDENTITY_SECRET": IDENTITY_SECRET,
    }


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"IDENTITY_SECRET": ""}, ["IDENTITY_SECRET is required: at least 32 bytes"]),
        ({"IDENTITY_SECRET": "short-secret"}, ["IDENTITY_SECRET is too short: 12 bytes, at least 32 are needed"]),
        ({"GATEWAY_WORKERS": "2"}, ["GATEWAY_WORKERS must be 1 without REDIS_URL: counters in a process cannot be shared"]),
        (
            {"GATEWAY_PORT": "x", "TOKEN_TTL": "soon", "TRUSTED_PROXIES": "10.0.0.0/99", "REDIS_URL": "http://:pass@h"},
            [
                "REDIS_URL: the scheme must be redis, rediss or unix",
                "GATEWAY_PORT must be a whole number from 0 to 65535, not 'x'",
                "TOKEN_TTL: 'soon' is not a duration such as 500ms, 30s, 5m, 24h",
                "TRUSTED_PROXIES: '10.0.0.0/99' does not appear to be an IPv4 or IPv6 network",
            ],
        ),
    ],
)  # fmt: skip
async def test_a_wrong_configuration_is_refused_with_one_line_for_each_fault(
    environment: dict[str, str], changes: dict[str, str], lines: list[str]
) -> None:
    code, _, errors = await run(environment | changes)

    assert code == 2
    assert errors.splitlines() == lines
    assert "short-secret" not in errors


async def test_an_invalid_route_file_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("version: 2\nroutes: []\n")

    code, _, errors = await run(environment | {"GATEWAY_ROUTES": str(tmp_path / "routes.yaml")})

    assert code == 2
    assert f"{tmp_path}/routes.yaml:1: version must be 1" in errors.splitlines()


async def test_a_busy_port_is_one_clear_line(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["GATEWAY_PORT"])))
        taken.listen()
        code, _, errors = await run(environment)

    assert code == 1
    assert errors.splitlines() == [
        f"cannot listen on 127.0.0.1:{environment['GATEWAY_PORT']}: Address already in use"
    ]


async def test_check_proves_a_file_and_shows_what_a_request_gets(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert (await run(environment, "check"))[0] == 0

    code, out, _ = await run(environment, "check", "--probe", "post", "/api//v1/deployments?api_key=k&a")
    shown = dict(line.split(": ", 1) for line in out.splitlines())
    assert code == 0
    assert (shown["route"], shown["lane"], shown["target"]) == (
        "hoster-billing",
        "billing",
        "/api/v1/deployments?a",
    )
    assert shown["limits of free"] == "1000 a month, 60 a minute, burst 5"

    (tmp_path / "bad.yaml").write_text(
        "version: 1\nroutes:\n  - {name: a, path: '(', match: regex, auth_required: 1, x: 2}\n"
    )
    code, _, errors = await run(environment, "check", str(tmp_path / "bad.yaml"))
    assert code == 2
    assert [line.split(":")[1] for line in errors.splitlines()] == ["1", "1", "1", "3", "3", "3"]


async def test_a_changed_file_takes_over_and_an_invalid_one_does_not(
    start_gateway: StartGateway, session: aiohttp.ClientSession
) -> None:
    gateway = await start_gateway()

    async def status(path: str) -> int:
        async with session.get(gateway.url + path) as response:
            return response.status

    async def answers(path: str, wanted: int) -> bool:
        return await status(path) == wanted

    assert await status("/open/x") == 200
    good = gateway.routes.read_text()
    gateway.routes.write_text(good.replace('path: "/*"', 'path: "/other/*"'))
    await until(lambda: answers("/open/x", 404))

    gateway.routes.write_text(
        good.replace('path: "/*"', 'path: "nonsense"').replace("priority: 50", "priority: high")
    )
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: gateway.log().count("route_file_invalid") >= 2)
    assert await status("/other/x") == 200

    gateway.routes.write_text(good)
    gateway.process.send_signal(signal.SIGHUP)
    await until(lambda: answers("/open/x", 200))
    assert gateway.end() == 0


async def test_stopping_waits_for_what_is_in_flight(
    start_gateway: StartGateway, sign_up: SignUp, upstream: Upstream, redis_url: str
) -> None:
    gateway = await start_gateway(redis_url, response_timeout="60s")
    ada = await sign_up(gateway)
    call = asyncio.ensure_future(ada.create("hold"))
    await upstream.performed_one.wait()

    gateway.process.send_signal(signal.SIGTERM)
    await until(lambda: _refuses_connections(gateway))
    assert gateway.process.poll() is None
    upstream.hold.set()

    assert (await call)[0] == 202
    assert await asyncio.to_thread(gateway.process.wait, 10) == 0
    await gateway.start()
    ada = await sign_up(gateway)
    assert (await ada.get("/mod/usage"))["totals"][0]["count"] == 1


async def test_a_second_gateway_on_the_same_data_is_refused(
    start_gateway: StartGateway, free_port: Callable[[], int]
) -> None:
    gateway = await start_gateway()

    code, _, errors = await run(gateway.environment | {"GATEWAY_PORT": str(free_port())})

    assert code == 1
    assert "another gateway uses" in errors


async def test_users_and_keys_have_their_commands(start_gateway: StartGateway, sign_up: SignUp) -> None:
    gateway = await start_gateway()
    ada = await sign_up(gateway)
    environment = gateway.environment

    assert (await run(environment, "users", "suspend", ada.user["email"]))[0] == 0

    async def is_refused() -> bool:
        async with ada.session.get(f"{gateway.url}/api/v1/me", headers=ada.headers) as response:
            return response.status == 403

    await until(is_refused)
    assert ada.user["id"] in (await run(environment, "users", "list"))[1]
    assert (await run(environment, "users", "set-plan", ada.user["email"], "gold"))[0] == 2
    code, out, _ = await run(environment, "keys", "rotate")
    assert (code, out.count("still verifying: ")) == (0, 1)


async def _refuses_connections(gateway: GatewayProcess) -> bool:
    try:
        async with aiohttp.ClientSession() as other, other.get(f"{gateway.url}/health"):
            return False
    except aiohttp.ClientConnectorError:
        return True
    except aiohttp.ClientError:
        return False  # it was taken just before the end
