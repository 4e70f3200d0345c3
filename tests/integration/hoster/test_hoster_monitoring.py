import asyncio
import socket
import time
from typing import Any

import pytest
from yarl import URL

from hoster.monitoring.questions import DEADLINE_S
from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User, eventually, fall_silent, rewrite

PIECES = [b"retry: 2000\n\n", b'id: e-1\nevent: log\ndata: {"message":"a\\r"}\n\n', b": keep", b"-alive\n\n"]


@pytest.fixture
async def running(user: User, worker: FakeWorker, hello_id: str) -> str:
    created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    await user.until(created.body["id"], "running")
    assert len(worker.projects) == 1
    return f"/api/v1/deployments/{created.body['id']}/monitoring"


async def test_the_answers_are_the_nodes(user: User, running: str) -> None:
    health = (await user.ask("GET", f"{running}/health")).body
    assert health["status"] == "healthy"
    assert health["containers"] == [
        {
            "name": "web",
            "status": "running",
            "health": "healthy",
            "started_at": "2026-11-22T00:00:00Z",
            "restarts": 0,
        }
    ]
    stats = (await user.ask("GET", f"{running}/stats")).body
    assert stats["containers"][0]["memory_usage_bytes"] == 1000
    assert stats["collected_at"] == "2026-11-22T00:00:00.000Z"
    logs = (await user.ask("GET", f"{running}/logs?tail=5&container=db")).body
    assert logs["items"] == [
        {
            "id": "e-1",
            "container": "db",
            "timestamp": "2026-11-22T00:00:00Z",
            "stream": "stdout",
            "message": "up",
        }
    ]
    for field, query in (
        ("tail", "tail=x"),
        ("since", "since=nonsense"),
    ):  # one is refused here, one by the node
        refused = await user.ask("GET", f"{running}/logs?{query}")
        assert (refused.status, [fault["field"] for fault in refused.body["errors"]]) == (422, [field])


async def test_a_parameter_without_a_value_was_not_given(user: User, running: str) -> None:
    """A form sends every field that it has, as does who copies `?tail=100&since=&container=` from the documentation."""
    for target, same in (
        ("logs?tail=100&since=&container=", "logs?tail=100"),
        ("logs?tail=", "logs"),
        ("events?limit=&type=", "events"),
    ):
        answer = await user.ask("GET", f"{running}/{target}")
        assert answer.status == 200, (target, answer.body)
        assert answer.body["items"]
        assert answer.body == (await user.ask("GET", f"{running}/{same}")).body


async def test_events_are_the_nodes_and_the_changes_of_state(
    user: User, worker: FakeWorker, running: str
) -> None:
    def types(answer: Any) -> list[str]:
        return [event["type"] for event in answer.body["items"]]

    told = await user.ask("GET", f"{running}/events")
    assert types(told) == [
        "container_started", "deployment_running", "deployment_starting", "deployment_scheduled",
    ]  # fmt: skip
    assert types(await user.ask("GET", f"{running}/events?limit=2")) == [
        "container_started",
        "deployment_running",
    ]

    worker.tells_events = False
    heard = await user.ask("GET", f"{running}/events")
    assert types(heard) == [
        "deployment_running",
        "deploy_step",
        "deployment_starting",
        "deployment_scheduled",
    ]
    assert heard.body["items"][1]["message"] == "preparing: image is here"


async def test_a_deployment_that_is_nowhere_has_no_containers(user: User, hello_id: str) -> None:
    created = await user.ask(
        "POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id, "start": False}
    )
    at = f"/api/v1/deployments/{created.body['id']}/monitoring"

    assert (await user.ask("GET", f"{at}/health")).body["status"] == "unknown"
    assert (await user.ask("GET", f"{at}/stats")).body["containers"] == []
    assert (await user.ask("GET", f"{at}/logs")).body["items"] == []
    assert (await user.ask("GET", f"{at}/logs/stream")).status == 409


async def test_a_deployment_that_was_stopped_is_not_unhealthy(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    one = f"/api/v1/deployments/{created.body['id']}"
    await user.until(created.body["id"], "running")
    await user.ask("POST", f"{one}/stop")
    await user.until(created.body["id"], "stopped")

    health = (await user.ask("GET", f"{one}/monitoring/health")).body
    assert health["status"] == "unknown"
    assert [(seen["status"], seen["health"]) for seen in health["containers"]] == [("exited", "unknown")]

    await user.ask("POST", f"{one}/start")
    await user.until(created.body["id"], "running")
    assert (await user.ask("GET", f"{one}/monitoring/health")).body["status"] == "healthy"


async def test_a_stream_is_carried_byte_for_byte_and_ends_with_its_reader(
    user: User, worker: FakeWorker, running: str
) -> None:
    worker.stream_pieces = PIECES
    target = f"{running}/logs/stream?last_event_id=e-0&container=web"
    headers = {**user.headers("GET", target, "r-1"), "Last-Event-ID": "e-00"}
    async with user.session.get(URL(user.base_url + target, encoded=True), headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await response.content.readexactly(sum(map(len, PIECES))) == b"".join(PIECES)
        assert worker.open_streams == 1
        assert worker.stream_headers[0]["Last-Event-ID"] == "e-00"
        assert any("last_event_id=e-0" in path and "service=web" in path for _, path in worker.calls)
        response.close()

    async def has_ended() -> bool:
        return worker.open_streams == 0

    await eventually(has_ended, 20)


async def test_one_connection_carries_log_numbers_and_events_and_resumes_each(
    user: User, worker: FakeWorker, running: str
) -> None:
    worker.stream_pieces = [
        b"retry: 2000\n\nid: e-1\nev",
        b'ent: log\ndata: {"message":"id: x"}\n\n: keep-alive\n\n',
    ]
    target = f"{running}/stream?tail=7"
    headers = {**user.headers("GET", target, "r-1"), "Last-Event-ID": "logs=l-4;events=e-0"}
    async with user.session.get(user.base_url + target, headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        received = b""
        async with asyncio.timeout(20):
            while received.count(b": keep-alive\n\n") < 3:
                received += await response.content.readany()
        assert worker.open_streams == 3
        ids = {line for line in received.split(b"\n") if line.startswith(b"id: ")}
        assert b"id: logs=e-1;stats=e-1;events=e-1" in ids
        assert received.count(b'event: log\ndata: {"message":"id: x"}\n\n') == 3
        assert sorted(seen.get("Last-Event-ID", "") for seen in worker.stream_headers) == ["", "e-0", "l-4"]
        assert sum("/logs/stream?tail=7" in path for _, path in worker.calls) == 1
        response.close()

    async def has_ended() -> bool:
        return worker.open_streams == 0

    await eventually(has_ended, 20)


async def test_a_connection_for_everything_breaks_off_when_one_part_does_and_is_refused_as_one(
    user: User, worker: FakeWorker, running: str
) -> None:
    worker.stream_pieces = PIECES
    worker.streams_last_s = 0.3
    target = f"{running}/stream"
    async with user.session.get(user.base_url + target, headers=user.headers("GET", target, "r")) as response:
        async with asyncio.timeout(30):
            assert (await response.content.read()).count(b"event: log") >= 1
    await worker.stop()
    away = await user.ask("GET", target)
    assert (away.status, away.body["code"]) == (503, "node_unreachable")


async def test_a_stream_opened_before_the_app_is_there_waits_for_it(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    worker.creates.clear()
    worker.stream_pieces = PIECES
    created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    target = f"/api/v1/deployments/{created.body['id']}/monitoring/stats/stream"
    async with user.session.get(user.base_url + target, headers=user.headers("GET", target, "r")) as response:
        assert response.status == 200
        worker.creates.set()
        received = b""
        async with asyncio.timeout(20):
            while not received.endswith(b"".join(PIECES)):
                received += await response.content.readany()


@pytest.mark.parametrize("part", ["stream", "events/stream"])
async def test_events_that_happened_while_a_stream_waited_for_the_app_are_not_lost(
    user: User, worker: FakeWorker, hello_id: str, part: str
) -> None:
    worker.creates.clear()
    worker.stream_pieces = PIECES
    created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    target = f"/api/v1/deployments/{created.body['id']}/monitoring/{part}"

    def asked() -> list[str]:
        return [path for _, path in worker.calls if "/events/stream" in path]

    async def has_been_refused() -> bool:
        return len(asked()) > 1

    async with user.session.get(user.base_url + target, headers=user.headers("GET", target, "r")) as response:
        await eventually(has_been_refused, 20)
        worker.creates.set()
        async with asyncio.timeout(20):
            while worker.open_streams < (3 if part == "stream" else 1):
                await response.content.readany()
    assert not asked()[0].endswith("tail=1000")
    assert asked()[-1].endswith("/events/stream?tail=1000")


async def test_streams_end_when_the_service_stops(
    hoster: Hoster, user: User, worker: FakeWorker, running: str
) -> None:
    worker.stream_pieces = PIECES
    target = f"{running}/stats/stream"
    async with user.session.get(user.base_url + target, headers=user.headers("GET", target, "r")) as response:
        await response.content.readexactly(sum(map(len, PIECES)))
        async with asyncio.timeout(30):
            await hoster.runner.shutdown()
            assert await response.content.read() == b""


async def test_every_reader_of_a_node_that_dies_comes_back_to_where_it_was(
    user: User, worker: FakeWorker, running: str
) -> None:
    worker.stream_pieces = PIECES
    target = f"{running}/events/stream"
    whole = b"".join(PIECES)

    arrived: list[bytes] = []

    async def read_until_it_breaks() -> bytes:
        headers = user.headers("GET", target, "r")
        async with user.session.get(user.base_url + target, headers=headers) as response:
            arrived.append(await response.content.readexactly(len(whole)))
            return await response.content.read()

    readers = [asyncio.create_task(read_until_it_breaks()) for _ in range(20)]

    async def all_have_read() -> bool:
        return arrived == [whole] * len(readers)

    await eventually(all_have_read, 20)
    await worker.stop()
    async with asyncio.timeout(20):
        assert await asyncio.gather(*readers) == [b""] * len(readers)
    away = await user.ask("GET", target)
    assert (away.status, away.body["code"]) == (503, "node_unreachable")

    await worker.start()
    headers = {**user.headers("GET", target, "r"), "Last-Event-ID": "e-1"}
    async with user.session.get(user.base_url + target, headers=headers) as response:
        assert await response.content.readexactly(len(whole)) == whole
        assert worker.stream_headers[-1]["Last-Event-ID"] == "e-1"


async def test_a_node_that_sends_no_heartbeats_and_never_answers_is_not_waited_for_long(
    hoster: Hoster, user: User, worker: FakeWorker, running: str
) -> None:
    await fall_silent(worker)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        await rewrite(hoster, "UPDATE nodes SET last_seen_at = last_seen_at - 31, address = ?", (address,))
        began = time.monotonic()
        refused = await user.ask("GET", f"{running}/stats")
        took = time.monotonic() - began

    assert (refused.status, refused.body["code"]) == (503, "node_unreachable")
    assert took < DEADLINE_S, "as long as one that sends heartbeats is given"
    assert (await user.ask("GET", f"{running}/health")).body["status"] == "unknown"
