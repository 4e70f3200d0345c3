"""A node that does not answer, and a Hoster that was away: nothing counts as done, and what was ordered has all of its time afterwards."""

from typing import Any

import aiohttp

from hoster.status_api import DATABASE
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User, eventually, join_worker, rewrite

DEPLOYMENTS = "/api/v1/deployments"


async def test_a_node_that_cannot_be_reached_never_counts_as_success(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.create(hello_id)
    await user.until(created.body["id"], "running")
    one = f"{DEPLOYMENTS}/{created.body['id']}"
    await worker.stop()
    unreachable = await user.ask("GET", f"{one}/monitoring/stats")
    assert (unreachable.status, unreachable.body["code"]) == (503, "node_unreachable")
    stream = await user.ask("GET", f"{one}/monitoring/logs/stream")
    assert (stream.status, stream.body["code"]) == (503, "node_unreachable")

    await user.ask("POST", f"{one}/stop")
    await user.until_told_of_silence(created.body["id"])
    silent = (await user.ask("GET", one)).body
    assert silent["status"] == "stopping"
    assert "cannot be reached" in silent["status_reason"]
    await user.ask("DELETE", one)
    await user.until_told_of_silence(created.body["id"])
    assert (await user.ask("GET", one)).body["status"] == "deleting"

    await worker.start()
    await user.until_gone(created.body["id"])
    assert worker.projects == {}


async def test_a_stop_has_all_of_its_time_once_a_silent_node_answers(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.create(hello_id)
    await user.until(created.body["id"], "running")
    one = f"{DEPLOYMENTS}/{created.body['id']}"
    await worker.stop()
    worker.stop_s = 1.0
    await user.ask("POST", f"{one}/stop")
    # As after a night.
    await rewrite(hoster, "UPDATE jobs SET deadline_at = deadline_at - 86400 WHERE status = 'queued'")

    async def was_tried_since() -> bool:
        rows = await hoster.app[DATABASE].fetch_all("SELECT deadline_at FROM jobs WHERE status = 'queued'")
        return [row["deadline_at"] > user.clock.now() for row in rows] == [True]

    await eventually(was_tried_since, 40)
    await worker.start()
    stopped = await user.until(created.body["id"], "stopped")
    assert stopped["status_reason"] is None


async def test_what_was_ordered_before_a_long_stop_of_hoster_still_has_all_of_its_time(
    start_hoster: Any, session: aiohttp.ClientSession
) -> None:
    running, database = await start_hoster()
    worker = await join_worker(running.base_url, session)
    try:
        user = User(running.base_url, session)
        template = (await user.ask("GET", "/api/v1/templates?q=hello")).body["items"][0]["id"]
        worker.deploy_s = 600.0
        created = await user.create(template)
        await user.until(created.body["id"], "starting")
        await running.runner.cleanup()
        async with database.transaction() as connection:
            await connection.execute("UPDATE jobs SET deadline_at = deadline_at - 86400")
        await database.close()

        worker.deploy_s = 0.0
        running, database = await start_hoster()
        await User(running.base_url, session).until(created.body["id"], "running")
    finally:
        await running.runner.cleanup()
        await database.close()
        await worker.stop()


async def test_a_start_on_a_silent_node_fails_with_the_reason(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    await worker.stop()
    created = await user.create(hello_id)
    failed = await user.until(created.body["id"], "failed")

    assert "cannot be reached" in failed["status_reason"]
