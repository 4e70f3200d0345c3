"""A path to the node on which calls break in every way: afterwards everything is as it was ordered, and billed as it was done."""

import asyncio
import random

import pytest

from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import Hoster, User, eventually, rewrite
from tests.servers.breaking_proxy import BreakingProxy, Fate

DEPLOYMENTS = "/api/v1/deployments"
SEEDS = (1, 2)
STORM_S, AWAY_S = 3.0, 2.5
SETTLES_IN_S = 40.0
BROKEN = 0.2
_BECOMES = {
    "start": "running",
    "stop": "stopped",
    "restart": "running",
    "redeploy": "running",
    "rollback": "running",
}


class Storm:
    """Orders at random; `wanted` is what was accepted last of each deployment, None its deletion."""

    def __init__(self, user: User, hello_id: str, seed: int) -> None:
        self.wanted: dict[str, str | None] = {}
        self.projects: dict[str, str] = {}
        self.performed: list[str] = []
        self._user = user
        self._hello_id = hello_id
        self._random = random.Random(seed)  # noqa: S311 - not a secret

    async def blow(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self._order()
            await asyncio.sleep(self._random.uniform(0, 0.3))

    async def _order(self) -> None:
        live = [one for one, status in self.wanted.items() if status is not None]
        if len(live) < 4:
            await self._create()
            return
        one, order = self._random.choice(live), self._random.choice([*_BECOMES, "delete"])
        if order == "delete":
            await self._performed("DELETE", f"{DEPLOYMENTS}/{one}?volumes=delete")
            self.wanted[one] = None
            return
        body = await self._body(one, order)
        if await self._performed("POST", f"{DEPLOYMENTS}/{one}/{order}", body):
            self.wanted[one] = _BECOMES[order]

    async def _create(self) -> None:
        answer = await self._user.create(self._hello_id)
        assert answer.status == 202, answer.body
        self.performed.append(answer.headers["X-Event-Type"])
        self.wanted[answer.body["id"]] = "running"
        self.projects[answer.body["id"]] = answer.body["hosts"][0].partition(".")[0]

    async def _body(self, one: str, order: str) -> object:
        if order != "rollback":
            return None
        releases = (await self._user.ask("GET", f"{DEPLOYMENTS}/{one}/releases")).body["items"]
        return {"release_id": self._random.choice(releases)["id"] if releases else "rel_none"}

    async def _performed(self, method: str, target: str, body: object = None) -> bool:
        answer = await self._user.ask(method, target, body)
        assert answer.status in {200, 202, 409, 422}, answer.body
        if "X-Event-Type" in answer.headers:
            self.performed.append(answer.headers["X-Event-Type"])
        return answer.status in {200, 202}


async def put_between(hoster: Hoster, worker: FakeWorker, proxy: BreakingProxy) -> None:
    await proxy.start()
    await rewrite(hoster, "UPDATE nodes SET address = ? WHERE id = ?", (proxy.address, worker.node_id))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_breaks_on_the_way_to_a_node_everything_is_as_ordered_afterwards_and_billed_once(
    hoster: Hoster, user: User, worker: FakeWorker, hello_id: str, seed: int
) -> None:
    proxy = BreakingProxy(worker.port, seed, BROKEN)
    await put_between(hoster, worker, proxy)
    worker.deploy_s = 0.1
    storm = Storm(user, hello_id, seed)
    try:
        await storm.blow(STORM_S)
        proxy.share = 1.0
        await storm.blow(AWAY_S)
        proxy.share = BROKEN
        await storm.blow(STORM_S)
        proxy.share = 0.0
        shown: dict[str, object] = {}

        async def is_as_ordered() -> bool:
            for one, status in storm.wanted.items():
                answer = await user.ask("GET", f"{DEPLOYMENTS}/{one}")
                shown[one] = answer.body.get("status") if answer.status == 200 else None
                if shown[one] != status:
                    shown[one] = answer.body
                    return False
            return True

        try:
            await eventually(is_as_ordered, SETTLES_IN_S)
        except TimeoutError:
            raise AssertionError(f"seed {seed}: {storm.wanted} wanted, {shown} shown") from None
        there = {name: project.status for name, project in worker.projects.items()}
        events = (await user.ask("GET", "/api/v1/billing/events?limit=200")).body["items"]
    finally:
        await proxy.stop()
    assert there == {storm.projects[one]: status for one, status in storm.wanted.items() if status}, seed
    assert sorted(event["event_type"] for event in events) == sorted(storm.performed), seed
    assert proxy.fates[Fate.PASSED] < sum(proxy.fates.values()), seed
