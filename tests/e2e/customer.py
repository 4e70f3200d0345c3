"""A customer as seen from outside: one account, and what it does through the front door only."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True)
class Customer:
    http: aiohttp.ClientSession
    url: str
    token: str
    user: dict[str, Any]

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        return await send(
            self.http, method, self.url + path, body, {"Authorization": f"Bearer {self.token}", **headers}
        )

    async def judged(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """A billable call, made again where the platform says that it had no time for it."""
        while _had_no_time(answer := await self.call(method, path, body, **headers)):
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        return answer

    async def order(self, method: str, path: str, body: object = None) -> Answer:
        """A billable call, made again when the platform says so: five at once and one a second are the free plan's, and a journey may be quicker."""
        while (answer := await self.judged(method, path, body)).status == 429:
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        return answer

    async def hello_template(self) -> str:
        listed = await self.call("GET", "/api/v1/templates")
        assert listed.status == 200, listed.text
        return str(next(item["id"] for item in listed.body["items"] if item["slug"] == "hello"))

    async def deploy_hello(self, name: str, visibility: str = "public") -> dict[str, Any]:
        body = {"name": name, "template_id": await self.hello_template(), "visibility": visibility}
        created = await self.order("POST", "/api/v1/deployments", body)
        assert created.status == 202, created.text
        assert created.headers["X-Event-Type"] == "deployment.created"
        return dict(created.body)

    async def wait_for(self, deployment_id: str, status: str, timeout_s: float = 60.0) -> dict[str, Any]:
        async with asyncio.timeout(timeout_s):
            while True:
                answer = await self.call("GET", f"/api/v1/deployments/{deployment_id}")
                if status == "deleted" and answer.status == 404:
                    return {}
                assert answer.status == 200, answer.text
                if answer.body["status"] == status:
                    return dict(answer.body)
                assert answer.body["status"] != "failed", answer.body["status_reason"]
                await asyncio.sleep(0.1)

    async def usage_events(self) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/mod/usage/events?limit=200")
        assert answer.status == 200, answer.text
        return list(answer.body["items"])

    async def billed(self) -> list[str]:
        """Event types with a cost, oldest first."""
        return [event["event_type"] for event in reversed(await self.usage_events()) if event["cost"] > 0]

    async def quota_used(self) -> int:
        answer = await self.call("GET", "/mod/auth/me")
        assert answer.status == 200, answer.text
        return int(answer.body["quota"]["used"])

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
        """The events of an SSE endpoint, as (name, payload)."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        async with self.http.get(self.url + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            yield _events(response)


async def sign_up(http: aiohttp.ClientSession, url: str) -> Customer:
    """Registers a new account, then signs in with it."""
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    registered = await send(http, "POST", f"{url}/mod/auth/register", account)
    assert registered.status == 201, registered.text
    signed_in = await send(http, "POST", f"{url}/mod/auth/login", account)
    assert signed_in.status == 200, signed_in.text
    return Customer(http, url, signed_in.body["token"], signed_in.body["user"])


def _had_no_time(answer: Answer) -> bool:
    """On a machine with more to do than processors, Redis misses its 50 ms now and then, and the engine its 15 s; nothing was done."""
    return answer.status == 503 and answer.body["code"] in {"counters_unavailable", "engine_unavailable"}


async def send(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    async with http.request(method, url, json=body, headers=headers, allow_redirects=False) as response:
        return Answer(response.status, response.headers.copy(), await response.text())


async def visit(http: aiohttp.ClientSession, mesh_port: int, host: str, token: str | None = None) -> Answer:
    """Opens an app by its host name at the mesh."""
    headers = {"Host": f"{host}:{mesh_port}"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return await send(http, "GET", f"http://127.0.0.1:{mesh_port}/", headers=headers)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name, data = "", ""
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        field, _, value = line.partition(": ")
        match field:
            case "event":
                name = value
            case "data":
                data = value
            case "" if data:
                yield name, json.loads(data)
                name, data = "", ""
