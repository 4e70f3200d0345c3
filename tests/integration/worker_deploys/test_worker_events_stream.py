"""The events of a project as a stream, across reconnects and a restart of the agent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.worker_deploys.agent import Agent
from tests.integration.worker_mesh.event_reader import Event, EventReader

pytestmark = pytest.mark.engine

STREAM = "/projects/p/events/stream"


async def some_events(agent: Agent, after: str | None, least: int) -> list[Event]:
    headers = agent.commander.signed("GET", STREAM, b"")
    if after is not None:
        headers["Last-Event-ID"] = after
    async with (
        asyncio.timeout(20),
        agent.session.get(agent.commander.base + STREAM, headers=headers) as response,
    ):
        assert (response.status, response.content_type) == (200, "text/event-stream")
        return await EventReader(response).take(least)


async def listed(agent: Agent) -> list[dict[str, Any]]:
    """Oldest first."""
    items: list[dict[str, Any]] = (await agent.commander.ok("GET", "/projects/p/events"))["items"]
    return items[::-1]


async def test_events_are_numbered_across_a_restart_and_end_with_the_project(
    agent: Agent, tiny_image: str
) -> None:
    await agent.start()
    await agent.commander.ok("POST", "/projects", {"project_id": "p", "org_id": "org_a"})
    deploy = {"image": tiny_image, "port": 8080}
    await agent.commander.ok("POST", "/projects/p/deploy?wait=45", deploy)
    known = await listed(agent)
    shown = await some_events(agent, None, len(known))

    assert [event.payload for event in shown] == known
    assert {event.name for event in shown} == {"event"}
    assert {"create", "deploy_step"} & {str(event.payload["type"]) for event in shown}, known

    agent.kill()
    await agent.start()
    resumed = await some_events(agent, shown[1].event_id, len(known) - 2)
    assert [event.payload for event in resumed] == known[2:], "nothing is lost or repeated"
    assert [event.event_id for event in resumed] == [event.event_id for event in shown[2:]]
    strange = await some_events(agent, "someone-else", 2)
    assert (strange[0].name, strange[1].payload) == ("gap", known[0])

    headers = agent.commander.signed("GET", STREAM, b"")
    async with (
        asyncio.timeout(30),
        agent.session.get(agent.commander.base + STREAM, headers=headers) as response,
    ):
        reader = EventReader(response)
        await reader.take(len(known))
        deleting = asyncio.create_task(agent.commander.ok("DELETE", "/projects/p"))
        seen = [event async for event in until_end(reader)]
        await deleting
    assert seen[-1].name == "end", seen


async def until_end(reader: EventReader) -> AsyncIterator[Event]:
    while (event := await reader.next()) is not None:
        yield event
