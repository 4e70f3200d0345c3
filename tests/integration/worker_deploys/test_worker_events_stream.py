"""The live events of a project, from the process that commands and containers make them in."""

import asyncio
import json
from typing import Any

import pytest

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY

pytestmark = pytest.mark.engine

PROJECT = {"project_id": "told", "org_id": "org_a"}


async def read(
    worker: Worker,
    until: str,
    last_event_id: str | None = None,
    *,
    opened: asyncio.Event | None = None,
    query: str = "",
) -> list[dict[str, Any]]:
    """The events up to and with the first that is named or typed `until`; each with its id. `opened` is set once the stream listens."""
    target = f"/projects/told/events/stream{query}"
    headers = worker.commander.signed("GET", target, b"")
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    found: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(30),
        worker.session.get(worker.commander.base + target, headers=headers) as response,
    ):
        assert response.status == 200
        if opened is not None:
            opened.set()
        fields: dict[str, str] = {}
        async for raw in response.content:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
                continue
            if "data" in fields:
                found.append(
                    {"sse_id": fields.get("id"), "name": fields["event"], **json.loads(fields["data"])}
                )
                if until in (found[-1]["name"], found[-1].get("type")):
                    return found
            fields = {}
    return found


async def test_a_reader_that_comes_back_hears_what_it_missed_and_nothing_twice(
    worker: Worker, tiny_image: str
) -> None:
    hoster = worker.commander
    assert (await hoster.call("POST", "/projects", PROJECT))[0] == 201
    opened = asyncio.Event()
    live = asyncio.create_task(read(worker, "deploy_active", opened=opened))
    await opened.wait()
    body = {"image": tiny_image, "port": 8080, "healthcheck": HEALTHY}
    assert (await hoster.call("POST", "/projects/told/deploy?wait=30", body))[0] == 202

    heard = await live
    assert [event["id"] for event in heard] == sorted({event["id"] for event in heard}, key=int)
    assert "container_started" in {event["type"] for event in heard}

    again = await read(worker, "deploy_active", heard[2]["sse_id"])
    assert [event["id"] for event in again] == [event["id"] for event in heard[3:]]

    late = await read(worker, "deploy_active", query="?tail=1000")  # who comes now, and wants the newest
    assert [event["id"] for event in late] == [event["id"] for event in heard]

    other_life = await read(worker, "gap", "1-1")
    assert other_life[0]["reason"] == "unknown_event_id"


async def test_the_stream_ends_with_its_project(worker: Worker) -> None:
    assert (await worker.commander.call("POST", "/projects", PROJECT))[0] == 201
    opened = asyncio.Event()
    live = asyncio.create_task(read(worker, "end", opened=opened))
    await opened.wait()
    assert (await worker.commander.call("DELETE", "/projects/told"))[0] in {200, 202}
    assert (await live)[-1]["reason"] == "deleted"
