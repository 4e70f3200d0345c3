import asyncio
import itertools
import json
from collections.abc import AsyncIterator
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
from hoster.keys.file import open_vault
from hoster.problems import PROBLEMS
from hoster.users.store import UserStore
from hoster.viewer import VIEWER, Viewer
from shared.clock import SystemClock
from shared.database import Database
from shared.problem_middleware import problem_middleware
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Answer, Hoster, User, beat

DEPLOYMENTS = "/api/v1/deployments"
EVENT = "X-Event-Type"
REPLAYED = "Idempotency-Replayed"

_numbers = itertools.count()


async def _ask(user: User, key: str, body: object, target: str = DEPLOYMENTS) -> Answer:
    """Each with a request id of its own, as APIGate gives to a client's retry."""
    headers = user.headers("POST", target, f"retry-{next(_numbers)}")
    return await user.ask_raw("POST", target, body, {**headers, "Idempotency-Key": key})


async def _billed(user: User) -> list[str]:
    events = await user.ask("GET", "/api/v1/billing/events")
    return [event["event_type"] for event in events.body["items"]]


async def _count(user: User) -> int:
    return (await user.ask("GET", DEPLOYMENTS)).body["total"]


@pytest.mark.usefixtures("worker")
async def test_a_repeat_is_given_the_first_answer_and_is_not_billed(user: User, hello_id: str) -> None:
    body = {"name": "once", "template_id": hello_id}
    first = await _ask(user, "k-1", body)
    assert (first.status, first.headers[EVENT], REPLAYED in first.headers) == (
        202, "deployment.created", False,
    )  # fmt: skip
    await user.until(first.body["id"], "running")

    again = await _ask(user, "k-1", body)
    assert (again.status, again.raw, again.headers[REPLAYED]) == (202, first.raw, "true")
    assert EVENT not in again.headers
    for name in ("Location", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert (await _count(user), await _billed(user)) == (1, ["deployment.created"])

    stop = f"{first.headers['Location']}/stop"
    stopped, repeated = await _ask(user, "k-1", None, stop), await _ask(user, "k-1", None, stop)
    assert (stopped.status, stopped.headers[EVENT]) == (202, "deployment.stopped"), (
        "the path is part of the scope"
    )
    assert (repeated.status, repeated.raw, EVENT in repeated.headers) == (202, stopped.raw, False)
    assert await _billed(user) == ["deployment.stopped", "deployment.created"]


async def test_a_secret_that_is_told_again_is_kept_by_no_cache_either(user: User) -> None:
    nodes = "/api/v1/nodes"
    first, again = (
        await _ask(user, "k-1", {"name": "n"}, nodes),
        await _ask(user, "k-1", {"name": "n"}, nodes),
    )

    assert again.body["join_token"] == first.body["join_token"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("worker")
async def test_a_key_belongs_to_one_body_and_one_user(user: User, stranger: User, hello_id: str) -> None:
    body = {"name": "mine", "template_id": hello_id}
    first = await _ask(user, "k-2", body)
    other_body = await _ask(user, "k-2", {**body, "name": "another"})
    assert (other_body.status, other_body.body["code"]) == (422, "idempotency_key_reused")
    other_query = await _ask(user, "k-2", body, f"{DEPLOYMENTS}?x=1")
    assert (other_query.status, other_query.body["code"]) == (422, "idempotency_key_reused")

    by_another = await _ask(stranger, "k-2", body)
    assert (by_another.status, by_another.headers[EVENT]) == (202, "deployment.created")
    assert by_another.body["id"] != first.body["id"]
    assert (await _count(user), await _count(stranger)) == (1, 1)


@pytest.mark.usefixtures("worker")
async def test_twenty_at_once_make_one_deployment_and_one_event(user: User, hello_id: str) -> None:
    body = {"name": "burst", "template_id": hello_id}
    answers = await asyncio.gather(*(_ask(user, "k-3", body) for _ in range(20)))

    assert {answer.status for answer in answers} == {202}
    assert len({answer.raw for answer in answers}) == 1
    assert sum(EVENT in answer.headers for answer in answers) == 1
    assert sum(REPLAYED in answer.headers for answer in answers) == 19
    assert (await _count(user), await _billed(user)) == (1, ["deployment.created"])


@pytest.mark.usefixtures("worker")
async def test_the_answer_to_a_mistake_is_kept_too(user: User, hello_id: str) -> None:
    wrong = {"name": "", "template_id": hello_id}
    first, again = await _ask(user, "k-4", wrong), await _ask(user, "k-4", wrong)
    assert (first.status, first.body["code"]) == (422, "validation_failed")
    assert (again.status, again.raw, again.headers[REPLAYED]) == (422, first.raw, "true")
    assert again.headers["Content-Type"].startswith("application/problem+json")

    for key in ("", "k" * 256, "k\u00e4"):
        refused = await _ask(user, key, wrong)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_an_error_of_ours_is_not_kept_so_that_the_same_key_succeeds_later(
    hoster: Hoster, session: aiohttp.ClientSession, user: User, worker: FakeWorker, hello_id: str
) -> None:
    body = {"name": "later", "template_id": hello_id}
    await beat(hoster.base_url, session, worker, engine="unavailable")
    refused = await _ask(user, "k-5", body)
    assert (refused.status, refused.body["code"]) == (503, "engine_unavailable")
    await beat(hoster.base_url, session, worker)
    done, again = await _ask(user, "k-5", body), await _ask(user, "k-5", body)

    assert (done.status, done.headers[EVENT], REPLAYED in done.headers) == (202, "deployment.created", False)
    assert (again.raw, again.headers[REPLAYED]) == (done.raw, "true")
    assert await _count(user) == 1


async def test_a_join_token_in_a_kept_answer_is_not_readable_in_the_database(
    user: User, tmp_path: Path
) -> None:
    first, again = [await _ask(user, "k-6", {"name": "n"}, "/api/v1/nodes") for _ in range(2)]

    token = first.body["join_token"]
    assert (first.status, again.body["join_token"]) == (201, token)
    files = [path.read_bytes() for path in await asyncio.to_thread(lambda: list(tmp_path.glob("hoster.db*")))]
    assert files
    assert not any(token.encode() in content for content in files)


@pytest.fixture
async def crashed(start_hoster: Any, session: aiohttp.ClientSession) -> AsyncIterator[tuple[User, Database]]:
    """A Hoster, and the database in which its predecessor's death can be written."""
    hoster, database = await start_hoster()
    yield User(hoster.base_url, session), database
    await hoster.runner.cleanup()
    await database.close()


_UNANSWERED = (
    "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL, owner = 'answers_of_the_dead'"
)


async def test_a_crash_after_the_operation_and_before_its_answer_does_not_repeat_it(
    crashed: tuple[User, Database],
) -> None:
    user, database = crashed
    body = {"name": "x", "source": {"image": "localhost/x:1", "port": 80}, "start": False}
    first = await _ask(user, "k-7", body)
    async with database.transaction() as connection:
        await connection.execute(_UNANSWERED)
    again, third = await _ask(user, "k-7", body), await _ask(user, "k-7", body)

    assert (again.status, again.body["id"], again.headers[REPLAYED]) == (202, first.body["id"], "true")
    assert EVENT not in again.headers
    assert (third.raw, third.headers[REPLAYED]) == (again.raw, "true")
    assert (await _count(user), await _billed(user)) == (1, ["deployment.created"])


async def test_a_crash_before_the_operation_leaves_the_key_to_the_next_request(
    crashed: tuple[User, Database],
) -> None:
    user, database = crashed
    body = {"name": "x", "source": {"image": "localhost/x:1", "port": 80}, "start": False}
    user.limits = '{"max_deployments": 0}'
    assert (await _ask(user, "k-8", body)).status == 403  # leaves a row, and no deployment
    user.limits = ""
    async with database.transaction() as connection:
        await connection.execute(_UNANSWERED)
    done, again = await _ask(user, "k-8", body), await _ask(user, "k-8", body)

    assert (done.status, done.headers[EVENT], REPLAYED in done.headers) == (202, "deployment.created", False)
    assert (again.raw, again.headers[REPLAYED]) == (done.raw, "true")
    assert await _count(user) == 1


async def test_a_day_later_the_key_is_free_again(crashed: tuple[User, Database]) -> None:
    user, database = crashed
    body = {"name": "x", "source": {"image": "localhost/x:1", "port": 80}, "start": False}
    first = await _ask(user, "k-9", body)
    yesterday = SystemClock().now() - 24 * 3600 - 1
    async with database.transaction() as connection:
        await connection.execute("UPDATE idempotency_keys SET created_at = ?", (yesterday,))
    fresh = await _ask(user, "k-9", body)

    assert (fresh.status, REPLAYED in fresh.headers) == (202, False)
    assert fresh.body["id"] != first.body["id"]


async def test_a_first_request_that_takes_too_long_is_a_conflict_for_the_second_and_is_performed_once(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    vault = await asyncio.to_thread(open_vault, tmp_path / "secrets.key", tmp_path / "hoster.db")
    database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
    viewer = Viewer(user_id="u", org_id="o", plan_id="p", limits=parse_limits(""), request_id="r")
    await UserStore(database, SystemClock()).introduce(viewer)
    begun, released = asyncio.Event(), asyncio.Event()

    @web.middleware
    async def introduced(request: web.Request, handler: Any) -> web.StreamResponse:
        request[VIEWER] = viewer
        return await handler(request)

    async def slow(_: web.Request) -> web.Response:
        begun.set()
        await released.wait()
        return web.Response(text="done")

    answers = IdempotencyStore(database, vault, SystemClock(), owner="me")
    once = idempotency_middleware(answers, BillingStore(database, SystemClock()), wait_s=0.2)
    app = web.Application(middlewares=[problem_middleware(PROBLEMS, lambda: "r"), introduced, once])
    app.router.add_post("/slow", slow)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slow"

    async def ask() -> tuple[int, str]:
        async with session.post(url, headers={"Idempotency-Key": "k"}) as response:
            return response.status, await response.text()

    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ask())
            await begun.wait()
            status, text = await ask()
            assert (status, json.loads(text)["code"]) == (409, "idempotency_key_in_use")
            released.set()
        assert first.result() == (200, "done")
        begun.clear()
        assert await ask() == (200, "done")
        assert not begun.is_set()
    finally:
        await runner.cleanup()
        await database.close()
