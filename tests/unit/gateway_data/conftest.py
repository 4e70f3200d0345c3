"""A director with counters in the process and no sockets: what it decides about a request head is a value."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.principal import (
    ApiKey,
    Credential,
    OrgId,
    PlanId,
    Principal,
    Role,
    UserId,
    UserStatus,
)
from gateway.counters.admission import Admission
from gateway.counters.local_counters import LocalCounters
from gateway.counters.port import Seed
from gateway.counters.refusals import KnownRefusals
from gateway.counters.seeding import Seeding
from gateway.counters.settlements import Settlements
from gateway.director import Control, GatewayDirector, Refusals
from gateway.errors import InvalidToken, TokenExpired
from gateway.metering.journal import Journal
from gateway.metering.meter import Meter
from gateway.metering.records import Intent, Result
from gateway.metering.segments import START
from gateway.observation.traffic import Traffic
from gateway.pipeline import Access, Billing, Pipeline
from gateway.problems import problem_table
from gateway.routes.compiling import load_table
from gateway.rules.client_address import TrustedProxies, parse_networks
from gateway.rules.period import period_at
from gateway.steps.step_12_forward_upstream import Signer
from shared.clock import SystemClock
from shared.config import Secret
from shared.ids import request_ids
from shared.relay.director import Decision, Field, Forward, Peer, RequestHead, Respond, Target, UpstreamSpec

SECRET = b"a-secret-of-at-least-32-bytes-here"
TOKEN = "aaa.bbb.ccc"
WAITING_TOKEN = "wait.bbb.ccc"
SUSPENDED_TOKEN = "suspended.bbb.ccc"
EXPIRED_TOKEN = "expired.bbb.ccc"

ROUTES = """
version: 1
default_plan: free
plans:
  free: {requests_per_month: 3, rate_per_minute: 60, burst: 100,
         limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: [gpu]}}
upstreams: {hoster: {targets: ["http://127.0.0.1:1"], reconcile: "/internal/operations/{request_id}"}}
routes:
  - {name: billing, path: "/bill*", priority: 9, auth_required: true, billing: true, upstream: hoster,
     metering_expr: "status < 400 ? 1.0 : 0.0"}
  - {name: api, path: "/api/*", priority: 8, auth_required: true, upstream: hoster}
  - {name: rewritten, match: regex, path: "/old/(?P<id>[^/]+)", priority: 7, auth_required: true, upstream: hoster,
     path_rewrite: "'/new/' + params.id",
     request_headers: {set: {X-Who: "user_id", X-Static: "no-store"}, remove: [X-Unwanted]},
     response_headers: {set: {X-Status: "status"}, remove: [Server]}}
  - {name: broken, path: "/broken", priority: 7, auth_required: false, upstream: hoster, path_rewrite: "params.nothing"}
  - {name: front, path: "/*", auth_required: false, upstream: hoster}
"""


@dataclass(frozen=True, slots=True)
class FakeAuthenticator:
    """Knows the tokens above; `WAITING_TOKEN` has to be looked up first."""

    def authenticate(self, credential: Credential) -> Any:
        text = credential.text
        if text == EXPIRED_TOKEN:
            raise TokenExpired
        if text == WAITING_TOKEN:
            return self._later()
        if text not in {TOKEN, SUSPENDED_TOKEN} and not isinstance(credential, ApiKey):
            raise InvalidToken
        return principal(UserStatus.SUSPENDED if text == SUSPENDED_TOKEN else UserStatus.ACTIVE)

    async def _later(self) -> Principal:
        await asyncio.sleep(0)
        return principal(UserStatus.ACTIVE)


def principal(status: UserStatus) -> Principal:
    return Principal(
        user_id=UserId("user_1"),
        org_id=OrgId("org_1"),
        plan_id=PlanId("free"),
        key_id="session_1",
        role=Role.USER,
        status=status,
    )


class NothingCharged:
    async def seed(self, user_id: UserId, period: object) -> Seed:
        assert user_id
        assert period
        return Seed(0, [])


@dataclass
class Bench:
    director: GatewayDirector
    journal: Journal
    traffic: Traffic
    counters: LocalCounters
    seeding: Seeding
    inquiries: list[tuple[Intent, Result | None]]
    ongoing_answers: OngoingAnswers

    def direct(self, head: RequestHead) -> Any:
        return self.director.direct(head)

    async def decide(self, head: RequestHead) -> Decision:
        decision = self.director.direct(head)
        return await decision if inspect.isawaitable(decision) else decision

    async def forward(self, head: RequestHead) -> Forward:
        decision = await self.decide(head)
        assert isinstance(decision, Forward), decision
        return decision

    async def refusal(self, head: RequestHead) -> Respond:
        decision = await self.decide(head)
        assert isinstance(decision, Respond), decision
        return decision


MakeBench = Callable[..., Awaitable[Bench]]
MakeHead = Callable[..., RequestHead]


@pytest.fixture
def new_request_id() -> Callable[[], str]:
    return request_ids(SystemClock())


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    journals: list[Journal] = []

    async def make(trusted: str = "", counters: Any = None) -> Bench:
        clock = SystemClock()
        table = load_table(ROUTES, {})
        counters = counters or LocalCounters(clock)
        refusals = KnownRefusals(clock)
        settlements = Settlements(counters, refusals)
        seeding = Seeding(counters, NothingCharged())
        journal = await asyncio.to_thread(Journal.open, tmp_path / f"journal{len(journals)}", START)
        journals.append(journal)
        traffic, ongoing = Traffic(), OngoingAnswers(clock)
        proxies = TrustedProxies(parse_networks(trusted))
        problems = Refusals(problem_table(clock.now), traffic)
        inquiries: list[tuple[Intent, Result | None]] = []
        pipeline = Pipeline(
            access=Access(FakeAuthenticator(), ongoing),
            billing=Billing(
                Admission(counters, refusals, seeding, settlements),
                Meter(journal, counters, settlements),
                lambda intent, seen: inquiries.append((intent, seen)),
            ),
            signer=Signer(Secret(SECRET), clock),
            proxies=proxies,
            traffic=traffic,
            refuse=problems.refuse,
            clock=clock,
        )
        control = Control(
            UpstreamSpec(name="control", targets=(Target("localhost", 0, "/x"),)), proxies, traffic
        )
        director = GatewayDirector(lambda: table, pipeline, control, problems)
        return Bench(director, journal, traffic, counters, seeding, inquiries, ongoing)

    yield make
    for journal in journals:
        journal.close()


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    """With the user's counter seeded, so that nothing has to be waited for."""
    found = await make_bench()
    await found.counters.seed(UserId("user_1"), period_at(SystemClock().now()), Seed(0, []))
    return found


@pytest.fixture
def head(new_request_id: Callable[[], str]) -> MakeHead:
    def make(
        target: str = "/",
        fields: list[Field] | None = None,
        method: str = "GET",
        token: str | None = None,
        peer: str = "192.0.2.7",
    ) -> RequestHead:
        credential = [(b"Authorization", f"Bearer {token}".encode())] if token else []
        return RequestHead(
            request_id=new_request_id(),
            method=method,
            target=target,
            host="gate.example:8082",
            http11=True,
            fields=[*credential, *(fields or [])],
            peer=Peer(peer, 1234),
            content_length=0,
            websocket=False,
        )

    return make
