import asyncio
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import (
    CAPACITY,
    IDENTITY_SECRET,
    JOIN_TOKEN,
    Hoster,
    User,
    beat,
    fall_silent,
    join_worker,
    rewrite,
)

NODES = "/api/v1/nodes"


async def _join(hoster: Hoster, session: aiohttp.ClientSession, token: Any, **also: Any) -> Any:
    body = {
        **also,
        "token": token,
        "address": "http://127.0.0.1:1",
        "capacity": CAPACITY,
        "name": "x",
        "version": "1",
    }
    async with session.post(f"{hoster.base_url}/nodes/v1/join", json=body) as response:
        return response.status, await response.json()


async def test_a_join_token_is_used_once(hoster: Hoster, session: aiohttp.ClientSession, user: User) -> None:
    made = await user.ask("POST", "/api/v1/nodes", {"name": "my node", "location": "attic"})
    assert made.status == 201
    assert made.body["status"] == "joining"
    token = made.body["join_token"]
    assert token in made.body["join_command"]
    assert "join_token" not in (await user.ask("GET", f"/api/v1/nodes/{made.body['id']}")).body

    status, joined = await _join(hoster, session, token)
    assert (status, joined["node_id"]) == (201, made.body["id"])
    for used in (token, "unknown"):
        status, refused = await _join(hoster, session, used)
        assert (status, refused["code"]) == (401, "invalid_join_token")
    shown = (await user.ask("GET", f"/api/v1/nodes/{made.body['id']}")).body
    assert (shown["status"], shown["name"], shown["location"]) == ("online", "my node", "attic")


async def test_a_worker_that_did_not_hear_the_answer_gets_it_again_for_the_secret_it_proposed(
    hoster: Hoster, session: aiohttp.ClientSession, user: User
) -> None:
    made = (await user.ask("POST", "/api/v1/nodes", {"name": "my node"})).body
    token, proposed = made["join_token"], "a" * 64

    first = await _join(hoster, session, token, secret=proposed)
    again = await _join(hoster, session, token, secret=proposed)
    assert first == again == (201, {"node_id": made["id"], "secret": proposed})
    for other in ({"secret": "b" * 64}, {}):
        status, refused = await _join(hoster, session, token, **other)
        assert (status, refused["code"]) == (401, "invalid_join_token")
    status, refused = await _join(hoster, session, token, secret="short")
    assert (status, refused["code"]) == (422, "validation_failed")
    assert (await user.ask("DELETE", f"{NODES}/{made['id']}")).status == 204
    assert (await _join(hoster, session, token, secret=proposed))[0] == 401


@pytest.mark.usefixtures("hoster")
async def test_a_customers_node_cannot_offer_itself_to_other_customers(user: User) -> None:
    refused = await user.ask("POST", "/api/v1/nodes", {"name": "ambush", "public": True})

    assert (refused.status, refused.body["code"]) == (403, "public_node_refused")
    assert "ambush" not in str((await user.ask("GET", "/api/v1/nodes")).body)


@pytest.mark.usefixtures("hoster", "worker")
async def test_the_first_node_joins_with_the_operators_token_once_also_after_a_restart(
    start_hoster: Any, session: aiohttp.ClientSession, user: User
) -> None:
    again, database = await start_hoster()
    try:
        status, _ = await _join(again, session, JOIN_TOKEN)
        nodes = (await user.ask("GET", "/api/v1/nodes")).body
    finally:
        await again.runner.cleanup()
        await database.close()

    assert status == 401
    assert (nodes["total"], nodes["items"][0]["public"], nodes["items"][0]["address"]) == (1, True, None)


async def test_a_heartbeat_is_signed_and_accepted_once(
    hoster: Hoster, session: aiohttp.ClientSession, user: User, worker: FakeWorker
) -> None:
    status, sent = await beat(hoster.base_url, session, worker)
    assert (status, sent["answer"]) == (200, {})
    node = (await user.ask("GET", "/api/v1/nodes")).body["items"][0]
    assert node["capacity"] == {**CAPACITY, "used": {"cpu_cores": 1.0, "memory_mb": 2, "disk_mb": 3}}

    replayed = {**sent["headers"]}
    for headers, data in (
        (replayed, sent["data"]),
        ({"X-Node-ID": worker.node_id}, sent["data"]),
        ({**replayed, "X-Node-ID": "node_x"}, sent["data"]),
        (replayed, b"{}"),
    ):
        async with session.post(
            f"{hoster.base_url}/nodes/v1/heartbeat", data=data, headers=headers
        ) as response:
            assert (response.status, (await response.json())["code"]) == (401, "invalid_signature")


async def test_a_node_that_moved_is_commanded_at_its_new_address(
    hoster: Hoster, session: aiohttp.ClientSession, worker: FakeWorker, tmp_path: Path
) -> None:
    status, _ = await beat(hoster.base_url, session, worker, address="http://127.0.0.1:1")
    _, sent = await beat(hoster.base_url, session, worker, address="file:///etc/passwd")

    with sqlite3.connect(tmp_path / "hoster.db") as other:
        addresses = other.execute("SELECT address FROM nodes").fetchall()
    other.close()
    assert (status, sent["answer"]["code"]) == (200, "validation_failed")
    assert addresses == [("http://127.0.0.1:1",)]


async def test_a_node_without_heartbeats_goes_offline_and_takes_no_deployments(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str
) -> None:
    await fall_silent(worker)
    created = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    await user.until(created.body["id"], "running")
    one = f"/api/v1/deployments/{created.body['id']}/monitoring/health"
    assert (await user.ask("GET", one)).body["status"] == "healthy"

    await rewrite(hoster, "UPDATE nodes SET last_seen_at = last_seen_at - 31")
    assert (await user.ask("GET", "/api/v1/nodes")).body["items"][0]["status"] == "offline"
    health = (await user.ask("GET", one)).body
    assert (health["status"], health["containers"]) == ("unknown", [])
    refused = await user.ask("POST", "/api/v1/deployments", {"name": "x", "template_id": hello_id})
    assert (refused.status, refused.body["reasons"]) == (409, {"offline": 1})


async def test_private_nodes_are_their_owners_alone(
    hoster: Hoster, session: aiohttp.ClientSession, user: User, stranger: User, hello_id: str
) -> None:
    made = await user.ask("POST", "/api/v1/nodes", {"name": "mine"})
    one = f"/api/v1/nodes/{made.body['id']}"
    worker = await join_worker(hoster.base_url, session, made.body["join_token"])
    try:
        for method in ("GET", "DELETE"):
            assert (await stranger.ask(method, one)).status == 404
        body = {"name": "x", "template_id": hello_id}
        named = await stranger.ask("POST", "/api/v1/deployments", {**body, "node_id": made.body["id"]})
        assert [fault["field"] for fault in named.body["errors"]] == ["node_id"]
        anywhere = await stranger.ask("POST", "/api/v1/deployments", body)
        assert (anywhere.status, anywhere.body["reasons"]) == (
            409,
            {"offline": 1},
        )  # the first node, not joined yet

        there = {**body, "node_id": made.body["id"], "start": False}
        created = await user.ask("POST", "/api/v1/deployments", there)
        waited_for = await user.ask("DELETE", one)
        assert (waited_for.status, waited_for.body["code"]) == (409, "node_in_use")
        await user.ask("POST", f"/api/v1/deployments/{created.body['id']}/start")
        await user.until(created.body["id"], "running")
        in_use = await user.ask("DELETE", one)
        assert (in_use.status, in_use.body["code"]) == (409, "node_in_use")
        await user.ask("DELETE", f"/api/v1/deployments/{created.body['id']}")
        await user.until_gone(created.body["id"])
        assert (await user.ask("DELETE", one)).status == 204
        assert (await user.ask("GET", one)).status == 404
    finally:
        await worker.stop()


@pytest.mark.usefixtures("user")
async def test_secrets_are_sealed_in_the_database(worker: FakeWorker, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hoster.db") as other:
        [sealed] = other.execute("SELECT secret FROM nodes").fetchone()
    other.close()
    assert worker.secret not in sealed

    written, mode = await asyncio.to_thread(_at_rest, tmp_path)
    assert worker.secret not in written
    assert JOIN_TOKEN.encode() not in written
    assert mode == 0o600


def _at_rest(folder: Path) -> tuple[bytes, int]:
    written = b"".join(file.read_bytes() for file in folder.glob("hoster.db*"))
    return written, (folder / "secrets.key").stat().st_mode & 0o777


@pytest.mark.usefixtures("worker")
async def test_status_pages_count(user: User) -> None:
    health = await user.ask_raw("GET", "/health", None, {})
    assert health.body == {
        "status": "ok", "database": "ok", "nodes": {"joining": 0, "online": 1, "offline": 0, "maintenance": 0},
    }  # fmt: skip
    stats = (await user.ask_raw("GET", "/stats", None, {})).body
    assert stats["templates"]["published"] >= 1


async def test_an_owner_changes_a_node_and_takes_it_out_of_placement_for_a_while(
    user: User, stranger: User, hoster: Hoster, session: aiohttp.ClientSession, hello_id: str
) -> None:
    made = (await user.ask("POST", NODES, {"name": "mine"})).body
    at = f"{NODES}/{made['id']}"
    joined = await join_worker(hoster.base_url, session, made["join_token"])
    try:
        changed = await user.ask("PATCH", at, {"name": "rack 4", "location": "eu", "capabilities": ["ssd"]})
        assert changed.status == 200, changed.body
        assert (changed.body["name"], changed.body["location"]) == ("rack 4", "eu")
        assert set(changed.body["capabilities"]) == {"ssd", "standard"}
        for body in ({}, {"name": None}, {"address": "http://x"}, {"public": True}, {"name": " "}):
            assert (await user.ask("PATCH", at, body)).status == 422, body

        for method in ("POST", "POST"):
            assert (await user.ask(method, f"{at}/maintenance")).body["status"] == "maintenance"
        order = {"name": "x", "template_id": hello_id}
        refused = await user.ask("POST", "/api/v1/deployments", order)
        assert (refused.status, refused.body["reasons"]) == (409, {"maintenance": 1, "offline": 1})
        assert (await user.ask("DELETE", f"{at}/maintenance")).body["status"] == "online"
        assert (await user.ask("POST", "/api/v1/deployments", order)).status == 202
        assert (await user.ask("DELETE", at)).status == 409
        for method, path in (("PATCH", at), ("POST", f"{at}/maintenance"), ("DELETE", f"{at}/maintenance")):
            assert (
                await stranger.ask(method, path, {"name": "x"} if method == "PATCH" else None)
            ).status == 404
    finally:
        await joined.stop()


async def test_a_lost_node_holds_nothing_back(
    hoster: Hoster, user: User, stranger: User, hello_id: str, session: aiohttp.ClientSession
) -> None:
    """Until someone says that it is lost, everything waits for it; afterwards deletes are done and the rest can be placed anew."""
    made = await user.ask("POST", "/api/v1/nodes", {"name": "mine"})
    node = f"/api/v1/nodes/{made.body['id']}"
    lost = await join_worker(hoster.base_url, session, made.body["join_token"])
    order = {"name": "x", "template_id": hello_id, "node_id": made.body["id"]}
    ids = [(await user.ask("POST", "/api/v1/deployments", order)).body["id"] for _ in range(3)]
    for deployment_id in ids:
        await user.until(deployment_id, "running")
    stopped, running, deleting = (f"/api/v1/deployments/{one}" for one in ids)
    await user.ask("POST", f"{stopped}/stop")
    await user.until(ids[0], "stopped")
    await beat(hoster.base_url, session, lost)
    assert (await user.ask("DELETE", f"{node}?lost=true")).body["code"] == "node_online"
    await lost.stop()
    assert (await user.ask("DELETE", deleting)).status == 202
    await rewrite(
        hoster, "UPDATE nodes SET last_seen_at = last_seen_at - 60 WHERE id = ?", (made.body["id"],)
    )

    assert (await user.ask("DELETE", node)).body["code"] == "node_in_use"
    assert (await user.ask("GET", deleting)).body["status"] == "deleting"
    assert (await stranger.ask("DELETE", f"{node}?lost=true")).status == 404
    assert (await user.ask("DELETE", f"{node}?lost=true")).status == 204

    await user.until_gone(ids[2])
    failed = (await user.ask("GET", running)).body
    assert (failed["status"], failed["node_id"]) == ("failed", None)
    assert "lost" in failed["status_reason"]
    assert (await user.ask("GET", "/api/v1/me")).body["usage"]["deployments"] == 2
    assert (await user.ask("POST", f"{running}/start")).body["code"] == "no_node_available"

    found = await join_worker(hoster.base_url, session)
    try:
        for deployment, deployment_id in ((running, ids[1]), (stopped, ids[0])):
            assert (await user.ask("POST", f"{deployment}/start")).status == 202
            again = await user.until(deployment_id, "running")
            assert (again["node_id"], again["status_reason"]) == (found.node_id, None)
        assert len(found.projects) == 2
    finally:
        await found.stop()


@pytest.mark.timeout(240)  # six processes start one after the other
async def test_the_operator_takes_its_own_node_out_of_placement_and_removes_it(
    hoster: Hoster, worker: FakeWorker, user: User, hello_id: str, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "IDENTITY_SECRET": IDENTITY_SECRET,
        "HOSTER_DATA_DIR": str(tmp_path),
    }

    async def run(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hoster", "nodes", *arguments, env=environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await process.communicate()
        return process.returncode, told.decode()

    assert worker.node_id in (await run("list"))[1]
    assert (await run("maintenance", worker.node_id, "on"))[0] == 0
    order = {"name": "x", "template_id": hello_id}
    assert (await user.ask("POST", "/api/v1/deployments", order)).body["reasons"] == {"maintenance": 1}
    assert (await run("maintenance", worker.node_id, "off"))[0] == 0
    made = await user.ask("POST", "/api/v1/deployments", order)
    assert made.status == 202
    status, told = await run("remove", worker.node_id)
    assert (status, "1 deployments" in told) == (2, True)
    status, told = await run("remove", worker.node_id, "--lost")
    assert (status, "heartbeats" in told) == (2, True)
    await fall_silent(worker)
    await rewrite(hoster, "UPDATE nodes SET last_seen_at = last_seen_at - 60")
    assert (await run("remove", worker.node_id, "--lost"))[0] == 0
    await user.ask("DELETE", f"/api/v1/deployments/{made.body['id']}")
    await user.until_gone(made.body["id"])
    assert (await run("maintenance", "node_x", "on"))[0] == 2
