"""What a relay process is made of: the same pipeline as in one process, with the books kept elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.accounts.authentication import AccountAuthenticator
from gateway.accounts.directory import Directory
from gateway.accounts.principal import UserId
from gateway.accounts.relay_accounts import open_relay_accounts
from gateway.config import Config
from gateway.counters.admission import Admission
from gateway.counters.opening import open_counting
from gateway.counters.port import Seed
from gateway.counters.seeding import Seeding
from gateway.errors import CountersUnavailable
from gateway.metering.journal import Journal
from gateway.metering.meter import Meter
from gateway.metering.records import Doubt, Intent, Result
from gateway.observation.own_process import OwnProcess, RelayState
from gateway.observation.traffic import Traffic
from gateway.pipeline import Access, Billing
from gateway.processes.link import Link, LinkEnded
from gateway.relay_side import Outside, RelayNeeds, access_log, make_relay
from gateway.routes.table import RouteTable
from gateway.rules.period import Period
from gateway.tokens.verification import TokenVerifier
from shared.relay.server import Relay
from shared.supervise import BackgroundJob, supervised

_SEED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class RelayParts:
    relay: Relay
    own: OwnProcess
    authenticator: AccountAuthenticator
    directory: Directory


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is that of the journal, and of the process in its reservations. `verifier` has the keys that the control process publishes."""

    name: str
    verifier: TokenVerifier
    control_socket: str
    table: Callable[[], RouteTable]


@asynccontextmanager
async def open_relay_parts(
    config: Config, place: Place, link: Link, outside: Outside
) -> AsyncIterator[RelayParts]:
    """Raises JournalLocked, OSError, sqlite3.Error."""
    data_dir, clock, on_death = config.paths.data_dir, outside.clock, outside.on_death
    journal = await asyncio.to_thread(Journal.begin_folder, data_dir / "journal" / place.name)
    try:
        async with (
            open_counting(config.redis, data_dir, clock, on_death, place.name) as counting,
            open_relay_accounts(data_dir, place.verifier, config.token_ttl, clock, on_death) as accounts,
        ):
            seeding = Seeding(counting.counters, _ControlSeeds(link))
            meter = Meter(journal, counting.counters, counting.settlements)
            admission = Admission(counting.counters, counting.refusals, seeding, counting.settlements)
            traffic = Traffic()
            log = access_log(config, clock)
            needs = RelayNeeds(
                access=Access(accounts.authenticator, accounts.ongoing_answers),
                billing=Billing(admission, meter, _doubting(journal)),
                table=place.table,
                traffic=traffic,
                control_socket=place.control_socket,
                access_log=log,
            )
            relay = make_relay(config, needs, outside)
            own = OwnProcess(
                traffic=traffic,
                relay=RelayState(lambda: relay.in_flight, lambda: relay.connections, relay.upstream_state),
                upstreams=lambda: place.table().upstreams,
                counting=counting,
                journal=journal,
            )
            jobs: dict[str, BackgroundJob] = {"journal": journal.keep, "seeding": seeding.run}
            if log is not None:
                jobs["access_log"] = log.run
            async with supervised(jobs, on_death):
                try:
                    yield RelayParts(relay, own, accounts.authenticator, accounts.directory)
                finally:
                    await relay.close()
    finally:
        await asyncio.to_thread(journal.close)


def _doubting(journal: Journal) -> Callable[[Intent, Result | None], None]:
    """The question is left to the control process, which reads it in the journal."""

    def doubt(intent: Intent, seen: Result | None) -> None:
        if seen is None:
            raise ValueError(f"nothing was seen of {intent.id}")
        journal.end(Doubt(seen))

    return doubt


class _ControlSeeds:
    """The control process knows all journals and the ledger."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def seed(self, user_id: UserId, period: Period) -> Seed:
        question = {"user_id": user_id, "period": period.name}
        try:
            answer = await self._link.ask("seed", question, _SEED_WITHIN_S)
        except (LinkEnded, TimeoutError) as error:
            raise CountersUnavailable(str(error)) from error
        match answer:
            case {"used": int(used), "open_ids": list(open_ids)}:
                return Seed(used, [str(request_id) for request_id in open_ids])
            case _:
                raise TypeError("not the answer to a seed")
