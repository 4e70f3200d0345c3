"""What a customer lives through, told once and run against every way of bringing the platform up."""

import asyncio
import math
from typing import Any

import aiohttp

from tests.e2e.customer import Customer, send, sign_up, visit

SUB_ROUTES = (
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop"), ("GET", "/wait?status=running&timeout=1"),
    ("GET", "/monitoring/health"), ("GET", "/monitoring/stats"), ("GET", "/monitoring/logs"),
    ("GET", "/monitoring/stats/stream"), ("GET", "/monitoring/logs/stream"),
)  # fmt: skip


async def from_sign_up_to_a_metered_deletion(http: aiohttp.ClientSession, url: str, mesh_port: int) -> None:
    customer = await sign_up(http, url)
    created = await customer.deploy_hello("my first app")
    deployment = await customer.wait_for(created["id"], "running")

    page = await visit(http, mesh_port, deployment["url"].split("/")[2].split(":")[0])
    assert page.status == 200
    assert "Hello" in page.text

    await it_is_watched_for_free(customer, deployment, mesh_port)
    await a_stranger_sees_nothing(await sign_up(http, url), deployment["id"])
    await the_plan_allows_no_second_one(customer)
    await it_is_stopped_started_and_deleted(customer, deployment, mesh_port)

    billed = ["deployment.created", "deployment.stopped", "deployment.started", "deployment.deleted"]
    assert await customer.billed() == billed
    assert await customer.quota_used() == 4
    events = (await customer.call("GET", "/api/v1/billing/events")).body["items"]
    assert [event["event_type"] for event in reversed(events)] == billed
    assert {event["request_id"] for event in events} <= {
        event["id"] for event in await customer.usage_events()
    }


async def it_is_watched_for_free(customer: Customer, deployment: dict[str, Any], mesh_port: int) -> None:
    monitoring = f"/api/v1/deployments/{deployment['id']}/monitoring"
    before = (await customer.quota_used(), len(await customer.usage_events()))

    health = await customer.call("GET", f"{monitoring}/health")
    assert health.body["status"] == "healthy", health.text
    stats = await customer.call("GET", f"{monitoring}/stats")
    assert stats.body["containers"][0]["memory_usage_bytes"] > 0, stats.text
    logs = await customer.call("GET", f"{monitoring}/logs?tail=100")
    assert any("serving on port" in item["message"] for item in logs.body["items"]), logs.text

    host = deployment["hosts"][0]
    async with asyncio.timeout(60), customer.stream(f"{monitoring}/logs/stream") as lines:
        await visit(customer.http, mesh_port, host)
        async for name, line in lines:
            if name == "log" and "response:200" in line["message"]:
                break
    async with asyncio.timeout(60), customer.stream(f"{monitoring}/stats/stream") as numbers:
        seen = [payload["collected_at"] async for name, payload in _first(numbers, 2) if name == "stats"]
    assert len(set(seen)) == 2

    for _ in range(50):
        polls = [
            customer.call("GET", f"{monitoring}/{kind}")
            for kind in ("health", "stats", "logs", "logs?tail=1")
        ]
        assert {answer.status for answer in await asyncio.gather(*polls)} == {200}
    assert (await customer.quota_used(), len(await customer.usage_events())) == before


async def a_stranger_sees_nothing(stranger: Customer, deployment_id: str) -> None:
    for method, suffix in SUB_ROUTES:
        body = {"name": "mine"} if method == "PATCH" else None
        answer = await stranger.call(method, f"/api/v1/deployments/{deployment_id}{suffix}", body)
        assert answer.status == 404, f"{method} {suffix}: {answer.status} {answer.text}"
    assert (await stranger.call("GET", "/api/v1/deployments")).body["items"] == []


async def the_plan_allows_no_second_one(customer: Customer) -> None:
    body = {"name": "second", "template_id": await customer.hello_template()}
    refused = await customer.order("POST", "/api/v1/deployments", body)
    assert refused.status == 403, refused.text
    problem = refused.body
    assert (problem["code"], problem["limit"], problem["used"], problem["max"]) == (
        "plan_limit_reached",
        "max_deployments",
        1,
        1,
    )


async def it_is_stopped_started_and_deleted(
    customer: Customer, deployment: dict[str, Any], mesh_port: int
) -> None:
    path = f"/api/v1/deployments/{deployment['id']}"
    host = deployment["hosts"][0]
    for verb, state, status in (("stop", "stopped", 503), ("start", "running", 200)):
        done = await customer.order("POST", f"{path}/{verb}")
        assert done.status == 202, done.text
        await customer.wait_for(deployment["id"], state)
        assert (await visit(customer.http, mesh_port, host)).status == status
        repeated = await customer.order("POST", f"{path}/{verb}")
        assert (repeated.status, "X-Event-Type" in repeated.headers) == (200, False), repeated.text
    deleted = await customer.order("DELETE", path)
    assert deleted.status == 202, deleted.text
    await customer.wait_for(deployment["id"], "deleted")
    assert (await visit(customer.http, mesh_port, host)).status == 404


async def a_private_app_is_for_its_organisation_only(
    http: aiohttp.ClientSession, url: str, mesh_port: int
) -> None:
    owner, other = await sign_up(http, url), await sign_up(http, url)
    created = await owner.deploy_hello("inner", visibility="private")
    deployment = await owner.wait_for(created["id"], "running")
    public_name, internal_name = deployment["hosts"]
    assert internal_name.endswith(".zexio.internal")

    for host in (public_name, internal_name):
        assert (await visit(http, mesh_port, host)).status == 401
        assert (await visit(http, mesh_port, host, other.token)).status == 403
        assert (await visit(http, mesh_port, host, owner.token)).status == 200

    assert (await owner.order("DELETE", f"/api/v1/deployments/{deployment['id']}")).status == 202
    await owner.wait_for(deployment["id"], "deleted")


async def a_retried_create_is_one_deployment(http: aiohttp.ClientSession, url: str) -> None:
    customer = await sign_up(http, url)
    body = {"name": "once", "template_id": await customer.hello_template()}
    tries = [
        await customer.judged("POST", "/api/v1/deployments", body, **{"Idempotency-Key": "create-once"})
        for _ in range(3)
    ]

    assert [answer.status for answer in tries] == [202, 202, 202]
    assert len({answer.body["id"] for answer in tries}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in tries] == [None, "true", "true"]
    assert await customer.billed() == ["deployment.created"]
    assert await customer.quota_used() == 1
    assert (await customer.order("DELETE", f"/api/v1/deployments/{tries[0].body['id']}")).status == 202
    await customer.wait_for(tries[0].body["id"], "deleted")


async def a_burst_meets_the_rate_limit(http: aiohttp.ClientSession, url: str) -> None:
    customer = await sign_up(http, url)
    nowhere = "/api/v1/deployments/dep_00000000000000000000000000000000/start"
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers = await asyncio.gather(*(customer.judged("POST", nowhere) for _ in range(20)))
    took_s = loop.time() - began

    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} <= {404, 429}
    # Of the free plan five at once, and then one each second.
    assert 0 < len(answers) - len(refused) <= 5 + math.ceil(took_s)
    assert all(answer.body["code"] == "rate_limit_exceeded" for answer in refused)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    # What Redis has not confirmed is given back again, a moment later.
    async with asyncio.timeout(60):
        while await customer.quota_used() != 0:
            await asyncio.sleep(0.1)


async def a_made_up_identity_is_worth_nothing_at_the_door(http: aiohttp.ClientSession, url: str) -> None:
    mine, theirs = await sign_up(http, url), await sign_up(http, url)
    spoofed = await mine.call(
        "GET", "/api/v1/me", **{"X-User-ID": theirs.user["id"], "x_user_id": theirs.user["id"]}
    )
    assert spoofed.body["user_id"] == mine.user["id"]
    assert "Server" not in spoofed.headers

    without = await send(http, "GET", f"{url}/api/v1/me", headers={"X-User-ID": theirs.user["id"]})
    assert (without.status, without.body["code"]) == (401, "missing_credentials")


async def _first(events: Any, count: int) -> Any:
    async for event in events:
        yield event
        count -= 1
        if count == 0:
            return
