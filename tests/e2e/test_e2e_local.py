"""The platform as `make run` brings it up: real processes, a real engine, real containers."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e import journeys
from tests.e2e.customer import send, sign_up, visit
from tests.e2e.platform_process import PlatformProcess, platform

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def local(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with platform(tmp_path_factory.mktemp("platform")) as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.tail()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
        yield session


async def test_a_customer_signs_up_deploys_watches_and_pays_for_four_operations(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    await journeys.from_sign_up_to_a_metered_deletion(http, local.url, local.ports["MESH_PORT"])


async def test_a_private_app_answers_its_own_organisation_only(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    await journeys.a_private_app_is_for_its_organisation_only(http, local.url, local.ports["MESH_PORT"])


async def test_a_create_that_is_retried_is_performed_and_billed_once(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    await journeys.a_retried_create_is_one_deployment(http, local.url)


async def test_a_burst_is_refused_by_rate_and_costs_no_quota(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    await journeys.a_burst_meets_the_rate_limit(http, local.url)


async def test_identity_comes_from_the_credential_alone(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    await journeys.a_made_up_identity_is_worth_nothing_at_the_door(http, local.url)

    hoster = f"http://127.0.0.1:{local.ports['HOSTER_PORT']}/api/v1/me"
    direct = await send(http, "GET", hoster, headers={"X-User-ID": "user_1"})
    assert (direct.status, direct.body["code"]) == (401, "identity_unverified")


async def test_the_url_that_a_deployment_shows_opens_as_it_is(
    local: PlatformProcess, http: aiohttp.ClientSession
) -> None:
    customer = await sign_up(http, local.url)
    deployment = await customer.wait_for((await customer.deploy_hello("shown"))["id"], "running")

    # curl resolves *.localhost to this machine, as browsers do.
    opened = await asyncio.to_thread(
        subprocess.run,
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", deployment["url"]],
        capture_output=True,
        text=True,
    )

    assert opened.stdout == "200", opened.stderr
    assert (await customer.order("DELETE", f"/api/v1/deployments/{deployment['id']}")).status == 202
    await customer.wait_for(deployment["id"], "deleted")


async def test_either_signal_stops_everything_and_the_next_start_brings_the_apps_back(
    docker_engine: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with platform(tmp_path) as running:
        await asyncio.to_thread(running.wait_until_ready)
        customer = await sign_up(http, running.url)
        deployment = await customer.wait_for((await customer.deploy_hello("kept"))["id"], "running")
        host = deployment["hosts"][0]
        await _stops_whole(running, signal.SIGINT, host)

    with platform(tmp_path, APP_URL_PORT="") as running:
        await _serves_again(http, running, host)
        await _stops_whole(running, signal.SIGTERM, host)

    with platform(tmp_path, APP_URL_PORT="") as running:
        await _serves_again(http, running, host)
        customer.url = running.url
        assert (await customer.call("GET", "/mod/auth/me")).status == 200
        assert (await customer.order("DELETE", f"/api/v1/deployments/{deployment['id']}")).status == 202
        await customer.wait_for(deployment["id"], "deleted")


async def _stops_whole(running: PlatformProcess, number: signal.Signals, host: str) -> None:
    assert await asyncio.to_thread(running.stop, number) == 0, running.tail()
    assert [port for port in running.ports.values() if _is_open(port)] == []
    assert await asyncio.to_thread(_containers, host.split(".", maxsplit=1)[0]) == []


async def _serves_again(http: aiohttp.ClientSession, running: PlatformProcess, host: str) -> None:
    await asyncio.to_thread(running.wait_until_ready)
    async with asyncio.timeout(60):
        while (await visit(http, running.ports["MESH_PORT"], host)).status != 200:
            await asyncio.sleep(0.2)


async def test_a_platform_that_nobody_listens_to_goes_on_and_ends_whole_when_its_terminal_is_closed(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with platform(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock") as running:
        await asyncio.to_thread(running.wait_until_ready)
        running.hung_up.set()
        assert running.process.stdout is not None
        async with asyncio.timeout(60):
            while not running.process.stdout.closed:  # by whoever reads, at the next line
                await sign_up(http, running.url)
        for _ in range(5):  # each is a line of the log
            await sign_up(http, running.url)
        assert running.process.poll() is None

        assert await asyncio.to_thread(running.stop, signal.SIGHUP) == 0
        assert [port for port in running.ports.values() if _is_open(port)] == []


async def test_a_platform_that_is_killed_leaves_no_service_running_and_starts_again(
    http: aiohttp.ClientSession, redis_url: str, tmp_path: Path
) -> None:
    settings = {
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "REDIS_URL": redis_url,
        "GATEWAY_WORKERS": "2",
    }
    with platform(tmp_path, **settings) as running:
        await asyncio.to_thread(running.wait_until_ready)
        customer = await sign_up(http, running.url)
        await asyncio.to_thread(running.stop, signal.SIGKILL)
        async with asyncio.timeout(60):
            while any(_is_open(port) for port in running.ports.values()):
                await asyncio.sleep(0.1)

    with platform(tmp_path, **settings) as running:
        await asyncio.to_thread(running.wait_until_ready)
        customer.url = running.url
        assert (await customer.call("GET", "/mod/auth/me")).status == 200
        assert await asyncio.to_thread(running.stop) == 0


async def test_a_busy_port_is_one_clear_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with platform(tmp_path, HOSTER_PORT=str(port)) as refused:
            code = await asyncio.to_thread(refused.process.wait, 60)

    assert code == 1
    assert [line for line in refused.lines if str(port) in line and "HOSTER_PORT" in line]
    assert not any("│" in line for line in refused.lines)


async def test_without_an_engine_everything_else_works_and_a_deployment_says_what_is_missing(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with platform(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no.sock") as running:
        await asyncio.to_thread(running.wait_until_ready)
        customer = await sign_up(http, running.url)
        body = {"name": "x", "template_id": await customer.hello_template()}
        async with asyncio.timeout(60):
            answer = await customer.call("POST", "/api/v1/deployments", body)

        assert (answer.status, answer.body["code"]) == (503, "engine_unavailable")
        assert await customer.quota_used() == 0
        assert await asyncio.to_thread(running.stop) == 0


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _containers(project: str) -> list[str]:
    listed = subprocess.run(
        ["docker", "ps", "-a", "-q", "--filter", f"label=io.plane.project={project}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()
