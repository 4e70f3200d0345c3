"""A template of two services on a real worker and a real engine: what its containers really get, keep and lose."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from hoster.templates.catalog import read_catalog
from hoster.templates.document import write_document
from tests.integration.hoster.conftest import JOIN_TOKEN, Hoster, User, eventually, has_one_online
from tests.integration.hoster.stand_ins import build
from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_deploys.docker_cli import container_ids, docker, remove_everything_of
from tests.integration.worker_deploys.repositories import Repository, ssh_server
from worker.runtime import labels

DEPLOYMENTS = "/api/v1/deployments"
HARD_TO_QUOTE = "a$b \"c\" 'd' ${TABLE_PREFIX} $$ \\n`e`"

# Stand-ins that read the same variables, listen on the same ports and answer the same health checks as the real images.
WEB = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
CMD ["/bin/sh", "-c", "mkdir -p /www /var/www/html; echo login > /www/wp-login.php; \
  printf %s \\"$WORDPRESS_DB_PASSWORD\\" > /www/password; printf %s \\"$WORDPRESS_TABLE_PREFIX\\" > /www/prefix; \
  wget -qO /www/database http://$WORDPRESS_DB_HOST:3306/starts; exec httpd -f -p 80 -h /www"]
"""
DATABASE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY healthcheck.sh /bin/healthcheck.sh
CMD ["/bin/sh", "-c", "mkdir -p /var/lib/mysql; printf '%s\\n' \\"$MARIADB_PASSWORD\\" >> /var/lib/mysql/starts; \
  exec httpd -f -p 3306 -h /var/lib/mysql"]
"""

PAGES = """\
FROM {base}
COPY page /www/index.html
CMD ["/bin/sh", "-c", "printf %s \\"$GREETING\\" > /www/greeting; exec httpd -f -p 8080 -h /www"]
"""


@pytest.fixture(scope="module")
def stand_ins(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    assert docker_engine
    folder = tmp_path_factory.mktemp("stand-ins")
    names = build(folder / "web", WEB), build(folder / "db", DATABASE)
    yield names
    docker("rmi", "-f", *names)


@pytest.fixture
async def agent(
    docker_engine: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
    hoster: Hoster,
) -> AsyncIterator[Agent]:
    """A worker process that has joined this Hoster."""
    folder = tmp_path / "worker"
    folder.mkdir()
    process = Agent(folder, (free_port(), free_port()), session)
    try:
        await process.start(
            {
                "HOSTER_URL": hoster.base_url,
                "WORKER_JOIN_TOKEN": JOIN_TOKEN,
                "WORKER_ADVERTISE_URL": process.base,
                "MESH_PUBLIC_SUFFIX": "apps.localhost",
                "DOCKER_HOST": docker_engine,
                "WORKER_ALLOW_LOCAL_GIT": "1",
            }
        )
        # It joins by itself, a moment after it answers.
        await eventually(partial(has_one_online, hoster.base_url, session), 60)
        yield process
    finally:
        process.remove()
        remove_everything_of(process.instance)
        for volume in _volumes(process.instance):
            docker("volume", "rm", volume)


def _volumes(instance: str) -> list[str]:
    return docker("volume", "ls", "-q", f"--filter=label={labels.INSTANCE}={instance}").split()


async def _template(user: User, web: str, database: str) -> str:
    """The shipped WordPress template with the stand-ins in it, and nothing else changed."""
    document = (await asyncio.to_thread(read_catalog))["wordpress"]
    text = write_document(document).replace("wordpress:6.7-apache", web).replace("mariadb:11.4", database)
    written = await user.ask("POST", "/api/v1/templates", json.loads(text))
    assert written.status == 201, written.body
    return str(written.body["id"])


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_two_services_get_their_variables_keep_their_data_and_go_back_to_an_earlier_release(
    user: User, agent: Agent, session: aiohttp.ClientSession, stand_ins: tuple[str, str]
) -> None:
    template_id = await _template(user, *stand_ins)
    body = {"name": "blog", "template_id": template_id, "variables": {"DB_PASSWORD": HARD_TO_QUOTE}}
    created = await user.ask("POST", DEPLOYMENTS, body)
    assert created.status == 202, created.body
    one = f"{DEPLOYMENTS}/{created.body['id']}"

    async def page(path: str) -> str:
        async with session.get(agent.mesh + path, headers={"Host": first["hosts"][0]}) as response:
            assert response.status == 200, path
            return await response.text()

    first = await user.until(created.body["id"], "running")
    assert await page("/password") == HARD_TO_QUOTE
    assert (await page("/database")).splitlines() == [HARD_TO_QUOTE]
    assert await page("/prefix") == "wp_"
    health = (await user.ask("GET", f"{one}/monitoring/health")).body
    assert sorted(container["name"] for container in health["containers"]) == ["db", "web"]

    await user.ask("PATCH", one, {"variables": {"TABLE_PREFIX": "new_"}})
    assert (await user.ask("POST", f"{one}/redeploy")).status == 202
    second = await user.until(created.body["id"], "running")
    assert (second["status_reason"], second["pending_changes"]) == (None, [])
    assert await page("/prefix") == "new_"
    assert len((await page("/database")).splitlines()) == 2, "the volume of the database was lost"

    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    assert rolled.status == 202
    third = await user.until(created.body["id"], "running")
    assert (third["status_reason"], third["variables"]["TABLE_PREFIX"]) == (None, "wp_")
    assert await page("/prefix") == "wp_"
    assert await page("/password") == HARD_TO_QUOTE
    assert len(container_ids(agent.instance)) == 2

    await user.ask("DELETE", f"{one}?volumes=delete")
    await user.until_gone(created.body["id"])
    assert container_ids(agent.instance) == []
    assert await asyncio.to_thread(_volumes, agent.instance) == []


async def _events_of(
    user: User, one: str, last_seen: str | None, until: str, listening: asyncio.Event
) -> list[tuple[str, dict]]:
    """Id and content of the streamed events, up to the first whose message has `until` in it."""
    target = f"{one}/monitoring/events/stream"
    headers = user.headers("GET", target, f"stream-{last_seen}")
    if last_seen is not None:
        headers["Last-Event-ID"] = last_seen
    found: list[tuple[str, dict]] = []
    event_id = ""
    # It lasts as long as the deploy that it tells of.
    endless = aiohttp.ClientTimeout(total=None)
    async with user.session.get(user.base_url + target, headers=headers, timeout=endless) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        listening.set()
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                event_id = value
            if name == "data":
                found.append((event_id, json.loads(value)))
                if until in found[-1][1].get("message", ""):
                    return found
    raise AssertionError(f"the stream ended after {found}")


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_repository_is_built_with_the_owners_key_and_a_redeploy_brings_its_newest_commit(
    user: User, agent: Agent, session: aiohttp.ClientSession, stand_ins: tuple[str, str], tmp_path: Path,
    free_port: Callable[[], int],
) -> None:  # fmt: skip
    repository = await asyncio.to_thread(Repository, tmp_path / "repository")
    dockerfile = PAGES.format(base=stand_ins[0])
    await asyncio.to_thread(repository.commit, {"Dockerfile": dockerfile, "page": "one"})
    key = (await user.ask("POST", "/api/v1/ssh_keys", {"name": "deploy"})).body
    port = free_port()
    git = {"url": f"ssh://root@localhost:{port}{repository.bare}", "ref": "main", "ssh_key_id": key["id"]}
    order = {
        "name": "pages",
        "source": {"git": git, "port": 8080},
        "variables": {"GREETING": HARD_TO_QUOTE},
    }

    async def page(path: str) -> str:
        async with session.get(agent.mesh + path, headers={"Host": made.body["hosts"][0]}) as response:
            assert response.status == 200, path
            return await response.text()

    with ssh_server(tmp_path / "sshd", port, key["public_key"]):
        made = await user.ask("POST", DEPLOYMENTS, order)
        assert made.status == 202, made.body
        one = f"{DEPLOYMENTS}/{made.body['id']}"
        first = await user.until(made.body["id"], "running")
        assert (await page("/"), await page("/greeting")) == ("one", HARD_TO_QUOTE)
        listening = asyncio.Event()
        events = asyncio.create_task(_events_of(user, one, None, "active", listening))
        await listening.wait()

        await asyncio.to_thread(repository.commit, {"page": "two"})
        assert (await user.ask("POST", f"{one}/redeploy")).status == 202
        seen = await events
        again = await _events_of(user, one, seen[0][0], "active", listening)
        second = await user.until(made.body["id"], "running")
    assert await page("/") == "two"
    assert first["release_id"] != second["release_id"]
    assert again == seen[1:], "continued behind the first, without loss or repeat"

    rolled = await user.ask("POST", f"{one}/rollback", {"release_id": first["release_id"]})
    assert rolled.status == 202, rolled.body
    assert (await user.until(made.body["id"], "running"))["status_reason"] is None
    assert await page("/") == "one", "the repository is away, and the node has kept what it built"

    await user.ask("DELETE", f"{one}?volumes=delete")
    await user.until_gone(made.body["id"])
    assert container_ids(agent.instance) == []
