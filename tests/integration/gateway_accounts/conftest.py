"""The control app on a real Unix socket, over a real database; only the usage books and the reports are stand-ins."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.accounts.accounts import Accounts, open_accounts
from gateway.accounts.principal import PlanId, UserId, UserStatus
from gateway.accounts.users import UserChange
from gateway.api.app import control_app
from gateway.api.reports import Health, Operator, RouteFaults
from gateway.errors import CountersUnavailable
from gateway.metering.usage import QuotaUse, RateUse, UsageEvent, UsageTotal
from shared.clock import SystemClock
from shared.config import Secret
from shared.ids import request_ids

PASSWORD = "correct horse battery staple"
OPERATOR_TOKEN = b"operator-token-operator-token-0123456789"
TOKEN_LIFE_S = 3600.0


class MovableClock:
    """The time at which it was made, moved on by `shift` seconds: however slow a test is, nothing expires that it did not let expire."""

    def __init__(self) -> None:
        self.shift = 0.0
        self._made_at = SystemClock().now()

    def now(self) -> float:
        return self._made_at + self.shift

    def monotonic(self) -> float:
        return self._made_at + self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPlan:
    plan_id: PlanId
    requests_per_month: int = 1000
    rate_per_minute: int = 60
    burst: int = 5
    limits_text: str = '{"max_deployments":1}'


class FixedPlans:
    def __init__(self) -> None:
        self.default = FixedPlan(plan_id=PlanId("free"))
        self.by_id: Mapping[PlanId, FixedPlan] = {
            self.default.plan_id: self.default,
            PlanId("pro"): FixedPlan(plan_id=PlanId("pro"), requests_per_month=-1),
        }

    def of(self, plan_id: PlanId) -> FixedPlan:
        return self.by_id.get(plan_id, self.default)


@dataclass(slots=True)
class PaperBooks:
    """UsageBooks in memory. The cursor is the position of the next event."""

    kept: list[UsageEvent] = field(default_factory=list)
    counters_reachable: bool = True

    async def totals(self, user_id: UserId, period: str) -> Sequence[UsageTotal]:
        assert len(period) == 7
        costs = [event.cost for event in self.kept if event.user_id == user_id]
        return [UsageTotal("deployment_created", len(costs), sum(costs))] if costs else []

    async def events(
        self, user_id: UserId | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UsageEvent], str | None]:
        start = int(cursor or 0)
        mine = [event for event in self.kept if user_id in {None, event.user_id}]
        end = start + limit
        return mine[start:end], str(end) if end < len(mine) else None

    async def quota(self, user_id: UserId, plan_id: PlanId) -> QuotaUse:
        used = sum(1 for event in self.kept if event.user_id == user_id)
        return QuotaUse(limit=1000, used=used, remaining=1000 - used, resets_at=1_796_083_200.0)

    async def rate(self, user_id: UserId, plan_id: PlanId) -> RateUse:
        if not self.counters_reachable:
            raise CountersUnavailable
        return RateUse(limit=60, burst=5, remaining=65, resets_at=1_796_083_200.0)


@dataclass(slots=True)
class Reports:
    draining: bool = False

    async def health(self) -> Health:
        return Health(self.draining, {"hoster": {"healthy": 1}}, "local")

    async def stats(self) -> Mapping[str, object]:
        return {"uptime_s": 1.5}

    async def metrics(self) -> bytes:
        return b"apigate_uptime_seconds 1.5\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running control app and everything around it."""

    data_dir: Path
    accounts: Accounts
    books: PaperBooks
    reports: Reports
    clock: MovableClock
    session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, **more: Any
    ) -> Answer:
        headers = {"X-Forwarded-For": "203.0.113.7", **more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        async with self.session.request(method, f"http://control{path}", headers=headers, **more) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            content = await response.json(content_type=None) if is_json else text
            return Answer(response.status, response.headers.copy(), content)

    async def sign_up(self, email: str = "ann@example.com") -> dict[str, Any]:
        answer = await self.call("POST", "/mod/auth/register", {"email": email, "password": PASSWORD})
        assert answer.status == 201, answer.body
        return dict(answer.body)

    async def login(self, email: str, password: str, **more: Any) -> Answer:
        return await self.call("POST", "/mod/auth/login", {"email": email, "password": password}, **more)

    async def suspend(self, user_id: str) -> None:
        await self.accounts.users.change(UserId(user_id), UserChange(status=UserStatus.SUSPENDED))

    async def status_of(self, token: str) -> tuple[int, str | None]:
        answer = await self.call("GET", "/mod/auth/me", token=token)
        return answer.status, answer.body.get("code")


class FixedRoutes:
    """Routes that cannot be reloaded."""

    def view(self) -> Sequence[Mapping[str, object]]:
        return [{"name": "all", "path": "/*"}]

    async def reload(self) -> None:
        raise RouteFaults(["routes.yaml:3: this file is always invalid"])


class Died(Exception):
    """A background job of the accounts ended."""


def _died() -> None:
    raise Died


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    clock = MovableClock()
    books, reports = PaperBooks(), Reports()
    data_dir = tmp_path / "data"
    async with AsyncExitStack() as stack:
        accounts = await stack.enter_async_context(open_accounts(data_dir, TOKEN_LIFE_S, clock, _died))
        operator = Operator(reports, reports, Secret(OPERATOR_TOKEN))
        app = control_app(accounts, books, FixedPlans, FixedRoutes(), operator, clock, request_ids(clock))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        socket_path = str(tmp_path / "control.sock")
        await web.UnixSite(runner, socket_path).start()
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket_path))
        )
        yield Gateway(data_dir, accounts, books, reports, clock, session)
