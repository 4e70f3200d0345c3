"""A fault that passes by itself never becomes a lasting one: nobody has to act when it is over."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hoster.__main__ import MIGRATIONS
from hoster.billing.store import BillingStore
from hoster.deployments.limits import parse_limits
from hoster.idempotency.middleware import idempotency_middleware
from hoster.idempotency.store import IdempotencyStore
from hoster.problems import PROBLEMS
from hoster.status_api import DATABASE
from hoster.users.store import UserStore
from hoster.vault import Vault
from hoster.viewer import VIEWER, Viewer
from shared.clock import SystemClock
from shared.database import Database
from shared.problem_middleware import problem_middleware
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import CAPACITY, Hoster, User, beat, eventually, fall_silent, rewrite
from tests.servers.closing import accept_no_more

DEPLOYMENTS = "/api/v1/deployments"
SEVERAL_LOOKS_S = 1.0


async def _running(user: User, hello_id: str) -> dict[str, Any]:
    created = await user.create(hello_id)
    return await user.until(created.body["id"], "running")


async def _shown(user: User, deployment: dict[str, Any]) -> dict[str, Any]:
    return dict((await user.ask("GET", f"{DEPLOYMENTS}/{deployment['id']}")).body)


async def _is_running(user: User, deployment: dict[str, Any]) -> dict[str, Any]:
    """By itself: a wait would say that nothing but a new order leads there from `failed`."""

    async def is_up() -> bool:
        return bool((await _shown(user, deployment))["status"] == "running")

    await eventually(is_up, 40)
    return await _shown(user, deployment)


async def _billed(user: User) -> list[str]:
    return sorted(
        event["event_type"] for event in (await user.ask("GET", "/api/v1/billing/events")).body["items"]
    )


async def _late(hoster: Hoster, then: Callable[[], None] = lambda: None) -> None:
    """The one job that waits has no time left when it is claimed next; `then` is called before that."""

    async def is_late() -> bool:
        async with hoster.app[DATABASE].transaction() as connection:
            made = await connection.execute(
                "UPDATE jobs SET deadline_at = deadline_at - 86400 WHERE status = 'queued' AND lease_until = 0 AND attempts > 0"
            )
            if made.rowcount:
                then()
        return made.rowcount == 1

    await eventually(is_late, 40)


async def test_a_start_that_was_given_up_in_silence_is_made_good_when_the_node_answers(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    await worker.stop()
    created = (await user.create(hello_id)).body
    failed = await user.until(created["id"], "failed")
    assert "tried again when the node answers" in failed["status_reason"]
    await worker.start()

    back = await _is_running(user, created)
    assert (back["status_reason"], back["release_id"] is not None) == (None, True)
    assert await _billed(user) == ["deployment.created"]


async def test_an_app_that_went_on_while_its_restart_was_given_up_is_shown_as_running(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    deployment = await _running(user, hello_id)
    await worker.stop()
    await user.ask("POST", f"{DEPLOYMENTS}/{deployment['id']}/restart")
    await user.until(deployment["id"], "failed")
    await worker.start()

    assert (await _is_running(user, deployment))["release_id"] == deployment["release_id"]


async def test_what_was_given_up_long_ago_is_left_to_its_owner(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    await worker.stop()
    created = (await user.create(hello_id)).body
    await user.until(created["id"], "failed")
    await rewrite(hoster, "UPDATE deployments SET given_up_at = given_up_at - 86400")
    await worker.start()
    await asyncio.sleep(SEVERAL_LOOKS_S)

    assert (await _shown(user, created))["status"] == "failed"
    assert worker.projects == {}


async def test_a_node_that_was_replaced_in_the_middle_of_a_deploy_or_before_a_restart_gets_it_again(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.deploy_s = 600.0
    created = (await user.create(hello_id)).body

    async def is_deploying() -> bool:
        return any(project.deploys for project in worker.projects.values())

    await eventually(is_deploying, 40)
    worker.deploy_s = 0.0
    worker.projects.clear()
    running = await user.until(created["id"], "running")
    assert running["status_reason"] is None

    await user.ask("POST", f"{DEPLOYMENTS}/{created['id']}/redeploy")
    worker.projects.clear()
    await user.until(created["id"], "running")
    restarted = await user.ask("POST", f"{DEPLOYMENTS}/{created['id']}/restart")
    worker.projects.clear()
    assert restarted.status == 202
    again = await user.until(created["id"], "running")
    assert again["status_reason"] is None


async def test_a_deploy_that_is_past_cancelling_at_its_deadline_is_not_called_failed(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.is_past_cancelling = worker.engine_unavailable = True
    worker.deploy_s = 600.0
    created = (await user.create(hello_id)).body

    def engine_is_back() -> None:
        worker.engine_unavailable = False

    await _late(hoster, engine_is_back)

    async def has_begun() -> bool:
        return any(project.deploys for project in worker.projects.values())

    await eventually(has_begun, 40)
    await asyncio.sleep(SEVERAL_LOOKS_S)
    worker.deploy_s = 0.0
    assert (await user.until(created["id"], "running"))["status_reason"] is None


@asynccontextmanager
async def _somebody_elses_server(hoster: Hoster, worker: FakeWorker, status: int) -> AsyncIterator[None]:
    """At the address of the node, as a proxy answers whose server is gone for a moment."""
    app = web.Application()

    async def page(_: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>nothing here</html>", content_type="text/html")

    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    assert runner.server is not None
    listener = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    await rewrite(hoster, "UPDATE nodes SET address = ? WHERE id = ?", (address, worker.node_id))
    try:
        yield
    finally:
        await rewrite(hoster, "UPDATE nodes SET address = ? WHERE id = ?", (worker.address, worker.node_id))
        await accept_no_more(listener.sockets)
        listener.close()
        await runner.cleanup()


@pytest.mark.parametrize("status", [200, 404])
async def test_what_is_not_said_by_the_worker_ends_no_order(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str, status: int
) -> None:
    stopped, deleted = await _running(user, hello_id), await _running(user, hello_id)
    async with _somebody_elses_server(hoster, worker, status):
        await user.ask("POST", f"{DEPLOYMENTS}/{stopped['id']}/stop")
        await user.ask("DELETE", f"{DEPLOYMENTS}/{deleted['id']}")
        started = (await user.create(hello_id)).body
        await user.until_told_of_silence(stopped["id"])
        assert (await _shown(user, stopped))["status"] == "stopping"
        assert (await _shown(user, deleted))["status"] == "deleting"
        stream = await user.ask("GET", f"{DEPLOYMENTS}/{stopped['id']}/monitoring/logs/stream")
        assert (stream.status, stream.headers["Retry-After"]) == (503, "5")

    await user.until(stopped["id"], "stopped")
    await user.until_gone(deleted["id"])
    await _is_running(user, started)
    assert sorted(project.status for project in worker.projects.values()) == ["running", "stopped"]


async def test_a_stop_waits_as_long_as_the_engine_of_the_node_is_away(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    deployment = await _running(user, hello_id)
    worker.engine_unavailable = True
    await user.ask("POST", f"{DEPLOYMENTS}/{deployment['id']}/stop")
    await _late(hoster)
    await asyncio.sleep(SEVERAL_LOOKS_S)
    waiting = await _shown(user, deployment)
    assert (waiting["status"], "engine" in waiting["status_reason"]) == ("stopping", True)

    worker.engine_unavailable = False
    await user.until(deployment["id"], "stopped")
    assert await _billed(user) == ["deployment.created", "deployment.stopped"]


@contextmanager
def _held(file: Path) -> Iterator[None]:
    """As by a backup, or by somebody at the console of the database."""
    holder = sqlite3.connect(file, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")
    finally:
        holder.close()


async def _impatient(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("PRAGMA busy_timeout = 50")


async def test_a_database_that_is_held_for_a_while_is_said_and_neither_ends_hoster_nor_is_kept_as_an_answer(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str, tmp_path: Path
) -> None:
    deployment = await _running(user, hello_id)
    at = f"{DEPLOYMENTS}/{deployment['id']}"
    await _impatient(hoster.app[DATABASE])

    async def stop() -> tuple[int, Any, Any]:
        headers = {**user.headers("POST", f"{at}/stop", "stop-1"), "Idempotency-Key": "k"}
        answer = await user.ask("POST", f"{at}/stop", headers=headers)
        return answer.status, answer.body, answer.headers.get("Retry-After")

    with _held(tmp_path / "hoster.db"):
        status, body, retry_after = await stop()
        assert (status, body["code"], retry_after) == (503, "database_busy", "5")
        assert (await user.ask("GET", at)).status == 200
        await asyncio.sleep(2.0)  # for longer than any job looks whether there is something to do

    assert (await stop())[0] == 202
    await user.until(deployment["id"], "stopped")
    assert await _billed(user) == ["deployment.created", "deployment.stopped"]


async def test_a_full_disk_is_said_and_what_was_found_out_meanwhile_is_written_when_there_is_room(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    deployment = await _running(user, hello_id)
    worker.deploy_s = 1.0
    await user.ask("POST", f"{DEPLOYMENTS}/{deployment['id']}/redeploy")

    async def pages(most: str) -> None:
        async with hoster.app[DATABASE].transaction() as connection:
            await connection.execute(f"PRAGMA max_page_count = {most}")

    await pages("1")
    much = {f"V{number}": "x" * 2_000 for number in range(30)}
    body = {"name": "x", "source": {"image": "localhost/hello:1", "port": 8080}, "variables": much}
    refused = await user.ask("POST", DEPLOYMENTS, body)
    assert (refused.status, refused.body["code"]) == (503, "storage_unavailable")
    assert refused.headers["Retry-After"] == "30"
    await asyncio.sleep(2.0)
    await pages("1000000")

    await user.until(deployment["id"], "running")
    assert (await user.ask("POST", DEPLOYMENTS, body)).status == 202


async def test_an_answer_that_cannot_be_kept_is_given_and_its_key_is_not_in_use_for_ever(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    viewer = Viewer(user_id="u", org_id="o", plan_id="p", limits=parse_limits(""), request_id="r")
    await UserStore(database, SystemClock()).introduce(viewer)
    await _impatient(database)
    holder = sqlite3.connect(tmp_path / "hoster.db", isolation_level=None, check_same_thread=False)

    @web.middleware
    async def introduced(request: web.Request, handler: Any) -> web.StreamResponse:
        request[VIEWER] = viewer
        return await handler(request)

    async def perform(_: web.Request) -> web.Response:
        if not holder.in_transaction:
            await asyncio.to_thread(holder.execute, "BEGIN IMMEDIATE")
        return web.Response(text="done")

    answers = IdempotencyStore(database, Vault(b"k" * 32), SystemClock(), owner="me")
    once = idempotency_middleware(answers, BillingStore(database, SystemClock()), wait_s=0.2)
    app = web.Application(middlewares=[problem_middleware(PROBLEMS, lambda: "r"), introduced, once])
    app.router.add_post("/performed", perform)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/performed"

    async def ask() -> tuple[int, str]:
        async with session.post(url, headers={"Idempotency-Key": "k"}) as response:
            return response.status, await response.text()

    try:
        assert await ask() == (200, "done")
        assert (await ask())[0] == 503
        holder.execute("ROLLBACK")
        assert await ask() == (200, "done")
    finally:
        holder.close()
        await runner.cleanup()
        await database.close()


async def test_a_refusal_for_now_is_not_the_answer_of_its_key_for_a_day(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str, session: aiohttp.ClientSession
) -> None:
    await fall_silent(worker)
    await rewrite(hoster, "UPDATE nodes SET last_seen_at = last_seen_at - 60")
    body = {"name": "x", "template_id": hello_id}

    async def create(request_id: str) -> Any:
        headers = {**user.headers("POST", DEPLOYMENTS, request_id), "Idempotency-Key": "k"}
        return await user.ask("POST", DEPLOYMENTS, body, headers=headers)

    refused = await create("first")
    assert (refused.status, refused.body["code"]) == (409, "no_node_available")
    assert refused.headers["Retry-After"] == "30"
    assert (await beat(hoster.base_url, session, worker, capacity=CAPACITY))[0] == 200

    made = await create("second")
    assert (made.status, "Idempotency-Replayed" in made.headers) == (202, False)
    again = await create("third")
    assert (again.body["id"], again.headers["Idempotency-Replayed"]) == (made.body["id"], "true")
