"""The orders of owners and the crashes of Hoster, as a state machine for Hypothesis; `tests.bench.operations` runs it.

A whole Hoster on real SQLite gets them, with one node. After each sequence the trouble ends, and then it must be so that:

- every change of state that was recorded is an arrow of the table, and follows on the one before;
- there is exactly one billing event for each operation that was performed, and none for anything else;
- every deployment is at rest and the node shows the same;
- once everything is deleted, nothing is left in the queue, in the accounts, or on the node but the volumes that were to be kept.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from hoster.__main__ import MIGRATIONS
from hoster.app import build_app
from hoster.deployments.transitions import TRANSITIONS, State
from hoster.jobs.store import LEASE_S
from hoster.parts import Parts
from hoster.templates.catalog import read_catalog
from hoster.templates.document import write_document
from hoster.vault import Vault
from hoster.web.pages import read_pages
from shared.clock import SystemClock
from shared.database import Database
from tests.bench.operated_nodes import Node
from tests.free_ports import free_port
from tests.integration.hoster.conftest import QUICK, User, config_for

AT_MOST = 4
TAKEN_OR_NOT = frozenset({200, 202, 404, 409, 503})
"""What may be said to an order. 503: the node said last that its engine does not answer, as it may for a moment; see `_ask`."""
DEPLOYMENTS = "/api/v1/deployments"

_ARROWS = {(source.value, target.value) for (source, _), target in TRANSITIONS.items()}
_AT_REST = {State.PENDING, State.RUNNING, State.STOPPED, State.FAILED}
_MOVES = """
    SELECT deployment_id, message FROM deployment_events WHERE type LIKE 'deployment\\_%' ESCAPE '\\' ORDER BY seq
"""
_CATALOG, _PAGES = read_catalog(), read_pages()
_T = TypeVar("_T")


class SkippingClock:
    """The system's, moved on by as much as it is told."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.ahead_s = 0.0

    def skip(self, seconds: float, at_most_ahead_s: float) -> None:
        self.ahead_s = min(self.ahead_s + seconds, max(self.ahead_s, at_most_ahead_s))

    def now(self) -> float:
        return self._system.now() + self.ahead_s

    def monotonic(self) -> float:
        return self._system.monotonic()


class Operations(RuleBasedStateMachine):
    """`performed` are the request ids of the operations that were answered as performed, or are on record after a crash. `projects` are
    the names of the deployments on the node, `keeping` those whose owner deleted them and wants their volumes kept.
    """

    settles_within_s = 40.0

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = SkippingClock()
        self.performed: set[str] = set()
        self.ids: list[str] = []
        self.projects: dict[str, str] = {}
        self.keeping: set[str] = set()
        self.away = False
        self.requests = 0
        self.port = free_port()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Hoster lives only while this runs."""
        return self.loop.run(asyncio.wait_for(work, 3 * self.settles_within_s))

    @initialize(running=st.integers(0, 3))
    def begin(self, running: int) -> None:
        # Hypothesis always begins with the least of everything, which is one and the same step over and over: not worth a node.
        assume(running > 0)
        self.run(self._begin())
        for _ in range(running):
            self.create(start=True)
        self.run(self._is_at_rest())

    async def _begin(self) -> None:
        # A connection to a Hoster that has crashed is of no use to the next one on the same port.
        connector = aiohttp.TCPConnector(force_close=True)
        self.session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30))
        await self._start_hoster()
        self.user = User(f"http://127.0.0.1:{self.port}", self.session, clock=self.clock)
        await self.node.begin(self.user.base_url, self.session, self.clock)
        written = await self.user.ask("POST", "/api/v1/templates", _hello_with_a_volume())
        assert written.status == 201, written.body
        self.template_id = written.body["id"]

    async def _start_hoster(self) -> None:
        folder = Path(self.folder.name)
        self.database = await Database.open(folder / "hoster.db", MIGRATIONS)
        parts = Parts(
            config=config_for(folder),
            clock=self.clock,
            database=self.database,
            vault=Vault(b"k" * 32),
            catalog=_CATALOG,
            pages=_PAGES,
            patience=QUICK,
            on_death=lambda: None,
        )
        self.runner = web.AppRunner(build_app(parts), access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def _crash(self) -> None:
        """From one moment to the next nothing is written any more; leases stay until they run out, as after a kill."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda *_: None
        )  # nobody is there any more to hear what the dying tasks say
        await self.database.close()
        with suppress(Exception):
            await self.runner.cleanup()
        loop.set_exception_handler(None)
        self.clock.skip(LEASE_S + 1, self.node.clock_tolerance_s)
        await self._start_hoster()
        if not self.away:
            await self.node.come_back()

    async def _ask(self, method: str, target: str, body: object = None) -> Any:
        self.requests += 1
        request_id = f"req-{self.requests}"
        answer = await self.user.ask(method, target, body, request_id=request_id)
        assert answer.status < 500 or answer.body["code"] == "engine_unavailable", answer.body
        if "X-Event-Type" in answer.headers:
            self.performed.add(request_id)
        return answer

    @precondition(lambda self: len(self.ids) < AT_MOST)
    @rule(start=st.booleans())
    def create(self, start: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        body = {"name": "app", "template_id": self.template_id, "start": start}
        answer = self.run(self._ask("POST", DEPLOYMENTS, body))
        if answer.status == 202:
            self.ids.append(answer.body["id"])
            self.projects[answer.body["id"]] = answer.body["hosts"][0].partition(".")[0]

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST))
    def start(self, which: int) -> None:
        self._order(which, "start")

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST))
    def stop(self, which: int) -> None:
        self._order(which, "stop")

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST))
    def restart(self, which: int) -> None:
        self._order(which, "restart")

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST))
    def redeploy(self, which: int) -> None:
        self._order(which, "redeploy")

    def _order(self, which: int, order: str) -> None:
        answer = self.run(self._ask("POST", f"{self._one(which)}/{order}"))
        assert answer.status in TAKEN_OR_NOT, answer.body

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST), back=st.integers(0, 3))
    def roll_back(self, which: int, back: int) -> None:
        one = self._one(which)
        listed = self.run(self._ask("GET", f"{one}/releases"))
        if listed.status == 200 and len(listed.body["items"]) > back:
            body = {"release_id": listed.body["items"][back]["id"]}
            answer = self.run(self._ask("POST", f"{one}/rollback", body))
            assert answer.status in {*TAKEN_OR_NOT, 422}, answer.body

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST), text=st.sampled_from(["one", "two", "three"]))
    def change(self, which: int, text: str) -> None:
        answer = self.run(self._ask("PATCH", self._one(which), {"variables": {"MESSAGE": text}}))
        assert answer.status in {200, 404}, answer.body

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST), volumes=st.sampled_from(["keep", "delete"]))
    def delete(self, which: int, volumes: str) -> None:
        deployment_id = self._id(which)
        answer = self.run(self._ask("DELETE", f"{DEPLOYMENTS}/{deployment_id}?volumes={volumes}"))
        assert answer.status in {202, 404}, answer.body
        if volumes == "keep" and "X-Event-Type" in answer.headers:
            self.keeping.add(self.projects[deployment_id])

    @precondition(lambda self: self.ids and not self.away)
    @rule()
    def everything_settles(self) -> None:
        self.run(self._is_at_rest())

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.4]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule()
    def hoster_crashes(self) -> None:
        self.run(self._crash())

    @precondition(lambda self: self.ids)
    @rule(
        which=st.integers(0, AT_MOST),
        order=st.sampled_from(["start", "stop"]),
        after=st.sampled_from([0.0, 0.002, 0.01]),
    )
    def hoster_crashes_during(self, which: int, order: str, after: float) -> None:
        self.run(self._crash_during(f"{self._one(which)}/{order}", after))

    async def _crash_during(self, target: str, after: float) -> None:
        """What APIGate does then: it asks whether the operation is on record."""
        self.requests += 1
        request_id = f"req-{self.requests}"
        asking = asyncio.create_task(self.user.ask("POST", target, request_id=request_id))
        await asyncio.sleep(after)
        await self._crash()
        with suppress(aiohttp.ClientError, TimeoutError):
            await asking
        row = await self.database.fetch_one(
            "SELECT 1 FROM billing_events WHERE request_id = ?", (request_id,)
        )
        if row is not None:
            self.performed.add(request_id)

    @rule(away=st.sampled_from([True, False, False]))
    def node_comes_and_goes(self, away: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        self.run(self._set_away(away))

    async def _set_away(self, away: bool) -> None:  # noqa: FBT001 - as above
        await (self.node.go_away() if away else self.node.come_back())
        self.away = away

    @rule()
    def node_loses_everything(self) -> None:
        self.run(self.node.lose_everything())

    @invariant()
    def every_performed_operation_is_billed_once(self) -> None:
        if hasattr(self, "database"):
            self.run(self._check_billing())

    async def _check_billing(self) -> None:
        rows = await self.database.fetch_all("SELECT request_id FROM billing_events")
        assert sorted(row["request_id"] for row in rows) == sorted(self.performed)

    def teardown(self) -> None:
        try:
            if hasattr(self, "template_id"):
                self.run(self._heal_and_check())
        finally:
            self.run(self._end())
            self.loop.close()
            self.folder.cleanup()

    async def _heal_and_check(self) -> None:
        await self.node.heal()
        await self._is_at_rest()
        await self._check_history()
        for deployment_id in self.ids:
            await self._ask("DELETE", f"{DEPLOYMENTS}/{deployment_id}?volumes=delete")
        await self._is_empty()
        await self._check_history()
        await self._check_billing()

    async def _is_at_rest(self) -> None:
        await self._until_none(self._unsettled)

    async def _is_empty(self) -> None:
        await self._until_none(self._left)
        assert (await self.user.ask("GET", "/api/v1/me")).body["usage"] == {
            "deployments": 0, "cpu_cores": 0, "memory_mb": 0, "disk_mb": 0,
        }  # fmt: skip

    async def _until_none(self, find: Callable[[], Awaitable[list[str]]]) -> None:
        found: list[str] = []
        try:
            async with asyncio.timeout(self.settles_within_s):
                while found := await find():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"after {self.settles_within_s:g} s still {found}") from None

    async def _unsettled(self) -> list[str]:
        """What is not at rest, or will be tried again; when all is, what the node shows otherwise. An order that failed says nothing of what
        the node has.
        """
        rows = await self.database.fetch_all(
            "SELECT project_id, status, failed_by_drift, given_up_at FROM deployments WHERE status <> 'deleted'"
        )
        moving = [
            f"{row['project_id']} {row['status']}"
            for row in rows
            if State(row["status"]) not in _AT_REST or row["given_up_at"] is not None
        ]
        runs = {
            row["project_id"]: row["status"] == "running"
            for row in rows
            if row["status"] != "failed" or row["failed_by_drift"]
        }
        differing = [] if moving else await self.node.differing(runs)
        return moving or [f"{project} not {'up' if runs[project] else 'down'}" for project in differing]

    async def _left(self) -> list[str]:
        live = await self.database.fetch_all(
            "SELECT project_id, status FROM deployments WHERE status <> 'deleted'"
        )
        queued = await self.database.fetch_all("SELECT id, kind FROM jobs WHERE status = 'queued'")
        return [
            *(f"{row['project_id']} {row['status']}" for row in live),
            *(f"{row['kind']} {row['id']}" for row in queued),
            *await self.node.left(self.keeping),
        ]

    async def _check_history(self) -> None:
        """The recorded moves of each deployment are one path through the table."""
        async with self.database.transaction() as connection:  # nothing moves between the two
            rows = await connection.execute_fetchall(_MOVES)
            states = await connection.execute_fetchall("SELECT id, status FROM deployments")
        now = dict.fromkeys(self.ids, "pending")
        for row in rows:
            source, _, target = row["message"].partition(":")[0].partition(" -> ")
            assert source == now[row["deployment_id"]], (row["message"], now)
            assert (source, target) in _ARROWS, row["message"]
            now[row["deployment_id"]] = target
        assert now == {row["id"]: row["status"] for row in states}

    async def _end(self) -> None:
        await self.node.end()
        if hasattr(self, "runner"):
            await self.runner.cleanup()
            await self.database.close()
            await self.session.close()

    def _one(self, which: int) -> str:
        return f"{DEPLOYMENTS}/{self._id(which)}"

    def _id(self, which: int) -> str:
        return self.ids[which % len(self.ids)]


def _hello_with_a_volume() -> Any:
    """The shipped template, and something to lose."""
    document = json.loads(write_document(_CATALOG["hello"]))
    service = document["compose"].replace("    x-web: true", '    x-web: true\n    volumes: ["data:/data"]')
    return {**document, "compose": service}
