"""A whole Hoster on a real socket, a user's client that signs as APIGate does, and a worker that keeps the contract."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from hoster.__main__ import MIGRATIONS
from hoster.app import build_app
from hoster.config import Config
from hoster.jobs.model import Patience
from hoster.keys.file import open_vault
from hoster.parts import Parts
from hoster.status_api import DATABASE
from hoster.templates.catalog import read_catalog
from hoster.web.pages import Asset, Pages
from shared import identity, signature
from shared.clock import SystemClock
from shared.database import Database
from shared.identity import Identity, SignedRequest
from shared.signature import Command
from tests.fakes.hoster_worker import FakeWorker
from tests.servers.dns_zone import DnsZone

IDENTITY_SECRET = "an identity secret of more than 32 bytes"
JOIN_TOKEN = "first-node-join-token"
PLENTY = {
    "max_deployments": 100, "max_cpu_cores": 100, "max_memory_mb": 100_000, "max_disk_mb": 1_000_000,
    "allowed_capabilities": [],
}  # fmt: skip
QUICK = Patience(
    start_s=60,
    stop_s=30,
    unreachable_s=1.5,
    machine_away_s=5,
    first_retry_s=0.1,
    longest_retry_s=0.3,
    poll_s=0.05,
    compare_s=0.2,
)


async def eventually(is_so: Callable[[], Awaitable[bool]], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.02)


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any
    raw: bytes


@dataclass
class User:
    """Speaks to Hoster as APIGate would for this user."""

    base_url: str
    session: aiohttp.ClientSession
    user_id: str = "user_a"
    org_id: str = "org_a"
    limits: str = field(default_factory=lambda: json.dumps(PLENTY))
    clock: SystemClock = field(default_factory=SystemClock)
    sent: int = 0

    def headers(self, method: str, target: str, request_id: str) -> dict[str, str]:
        who = Identity(
            user_id=self.user_id, org_id=self.org_id, plan_id="pro", plan_limits=self.limits, key_id="sess_1"
        )
        signed = identity.sign(
            IDENTITY_SECRET.encode(), who, SignedRequest(method, target, request_id), int(self.clock.now())
        )
        return {
            identity.USER_ID: who.user_id,
            identity.ORG_ID: who.org_id,
            identity.PLAN_ID: who.plan_id,
            identity.PLAN_LIMITS: who.plan_limits,
            identity.KEY_ID: who.key_id,
            identity.REQUEST_ID: request_id,
            identity.SIGNATURE: signed,
        }

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        request_id: str | None = None,
        headers: dict | None = None,
    ) -> Answer:
        if request_id is None:
            self.sent += 1
            request_id = f"{self.user_id}-{id(self)}-{self.sent}"
        sent = self.headers(method, target, request_id) if headers is None else headers
        return await self.ask_raw(method, target, body, sent)

    async def ask_raw(self, method: str, target: str, body: object, headers: dict[str, str]) -> Answer:
        url = URL(self.base_url + target, encoded=True)
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, url, data=data, headers=headers) as response:
            raw = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(
                response.status, response.headers, json.loads(raw) if is_json and raw else None, raw
            )

    async def create(self, template_id: str, **more: object) -> Answer:
        return await self.ask(
            "POST", "/api/v1/deployments", {"name": "My App!", "template_id": template_id, **more}
        )

    async def until(self, deployment_id: str, status: str) -> dict:
        """As long as it may take on a busy machine; the test's own time is the limit."""
        one = f"/api/v1/deployments/{deployment_id}"
        while (answer := await self.ask("GET", f"{one}/wait?status={status}&timeout=20")).status == 408:
            pass
        assert answer.status == 200, (answer.body, (await self.ask("GET", one)).body)
        return answer.body

    async def until_told_of_silence(self, deployment_id: str) -> None:
        """The node did not answer, and went on not to for longer than a start would wait for it."""

        async def is_told() -> bool:
            shown = await self.ask("GET", f"/api/v1/deployments/{deployment_id}")
            return "cannot be reached" in (shown.body["status_reason"] or "")

        await eventually(is_told, 50)
        await asyncio.sleep(QUICK.unreachable_s + 0.5)

    async def until_gone(self, deployment_id: str) -> None:
        async def is_gone() -> bool:
            return (await self.ask("GET", f"/api/v1/deployments/{deployment_id}")).status == 404

        await eventually(is_gone, 50)


async def has_one_online(base_url: str, session: aiohttp.ClientSession) -> bool:
    """Whether one node can be placed on. Hoster says 503, and nothing of nodes, while its database has to be waited for."""
    async with session.get(f"{base_url}/health") as response:
        return response.status == 200 and (await response.json())["nodes"]["online"] == 1


def config_for(folder: Path, **more: str) -> Config:
    return Config.from_env(
        {
            "IDENTITY_SECRET": IDENTITY_SECRET,
            "HOSTER_DATA_DIR": str(folder),
            "HOSTER_JOIN_TOKEN": JOIN_TOKEN,
            "APP_DOMAIN": "apps.localhost",
            "APP_URL_PORT": "8090",
            "HOSTER_PORT": "0",
            **more,
        }
    )


@dataclass
class Hoster:
    base_url: str
    app: web.Application
    runner: web.AppRunner


async def rewrite(hoster: Hoster, statement: str, parameters: tuple[object, ...] = ()) -> None:
    """Through Hoster's own connection: another one of this process would hold up the loop that it waits for."""
    async with hoster.app[DATABASE].transaction() as connection:
        await connection.execute(statement, parameters)


@pytest.fixture
def dns_zone() -> Iterator[DnsZone]:
    with DnsZone() as zone:
        yield zone


@pytest.fixture
def start_hoster(tmp_path: Path, dns_zone: DnsZone) -> Callable[[], Any]:
    vault = open_vault(tmp_path / "secrets.key", tmp_path / "hoster.db")
    catalog = read_catalog()
    pages = Pages(Asset("text/html; charset=utf-8", b"<!doctype html><title>Console</title>", {}), {}, {})

    async def start(port: int = 0, **settings: str) -> tuple[Hoster, Database]:
        config = config_for(tmp_path, DNS_RESOLVER=dns_zone.address, **settings)
        database = await Database.open(tmp_path / "hoster.db", MIGRATIONS)
        died: list[str] = []
        app = build_app(
            Parts(
                config=config,
                clock=SystemClock(),
                database=database,
                vault=vault,
                catalog=catalog,
                pages=pages,
                patience=QUICK,
                on_death=lambda: died.append("job"),
            )
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return Hoster(f"http://127.0.0.1:{runner.addresses[0][1]}", app, runner), database

    return start


@pytest.fixture
async def hoster(start_hoster: Any) -> AsyncIterator[Hoster]:
    running, database = await start_hoster()
    try:
        yield running
    finally:
        await running.runner.cleanup()
        await database.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as opened:
        yield opened


@pytest.fixture
def user(hoster: Hoster, session: aiohttp.ClientSession) -> User:
    return User(hoster.base_url, session)


@pytest.fixture
def stranger(hoster: Hoster, session: aiohttp.ClientSession) -> User:
    return User(hoster.base_url, session, user_id="user_b", org_id="org_b")


BEAT_EVERY_S = 5.0
CAPACITY = {"cpu_cores": 8, "memory_mb": 16_000, "disk_mb": 100_000}


async def join_worker(
    base_url: str, session: aiohttp.ClientSession, token: str = JOIN_TOKEN, **more: object
) -> FakeWorker:
    """A worker that has joined, is listening, and was heard of just now."""
    worker = FakeWorker("", SystemClock())
    await worker.start()
    body = {
        "token": token, "name": "n1", "address": worker.address, "version": "1", "capacity": CAPACITY, "capabilities": [],
        **more,
    }  # fmt: skip
    async with session.post(f"{base_url}/nodes/v1/join", json=body) as response:
        members = await response.json()
        assert response.status == 201, members
    worker.secret = members["secret"].encode()
    worker.node_id = members["node_id"]
    return worker


async def fall_silent(worker: FakeWorker) -> None:
    """From here on nothing is heard of it, not even what is under way."""
    worker.sends_heartbeats = False
    async with worker.heartbeat:
        pass


async def beat(
    base_url: str, session: aiohttp.ClientSession, worker: FakeWorker, **more: object
) -> tuple[int, dict]:
    """With `more`, the test itself says how it is with the node, and nothing says otherwise meanwhile."""
    if more:
        await fall_silent(worker)
    body = json.dumps(
        {"version": "1", "capacity": CAPACITY, "used": {"cpu_cores": 1, "memory_mb": 2, "disk_mb": 3}, **more}
    ).encode()
    signed = signature.sign(
        worker.secret,
        Command("POST", "/nodes/v1/heartbeat", body),
        int(worker.clock.now()),
        secrets.token_hex(8),
    )
    headers = {signature.HEADER: signed, "X-Node-ID": worker.node_id, "Content-Type": "application/json"}
    async with session.post(f"{base_url}/nodes/v1/heartbeat", data=body, headers=headers) as response:
        return response.status, {"headers": headers, "data": body, "answer": await response.json()}


async def keep_beating(base_url: str, session: aiohttp.ClientSession, worker: FakeWorker) -> None:
    """However long a test takes on a busy machine, the node stays online."""
    while True:
        await asyncio.sleep(BEAT_EVERY_S)
        async with worker.heartbeat:
            if worker.is_up and worker.sends_heartbeats:
                # A test may stop Hoster, or start it again.
                with suppress(aiohttp.ClientError, TimeoutError):
                    await beat(base_url, session, worker)


@pytest.fixture
async def worker(hoster: Hoster, session: aiohttp.ClientSession) -> AsyncIterator[FakeWorker]:
    joined = await join_worker(hoster.base_url, session)
    beating = asyncio.create_task(keep_beating(hoster.base_url, session, joined))
    try:
        yield joined
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await joined.stop()


@pytest.fixture
async def hello_id(user: User) -> str:
    found = await user.ask("GET", "/api/v1/templates?q=hello")
    return found.body["items"][0]["id"]
