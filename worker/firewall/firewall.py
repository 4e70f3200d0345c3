"""The node's firewall: what is in force, how it changes, and that it stays so.

Failure policy: a node without nft (or without the right to use it) works on without packet rules, which is logged once; a change of
them is refused. What somebody else removes from the kernel is put back within half a minute.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from shared.clock import Clock
from worker.errors import EngineUnavailable
from worker.firewall.arming import arm
from worker.firewall.nft import FirewallUnavailable, Nft, RulesetRefused
from worker.firewall.policy import Grant, Policy, Rule, TenantPort
from worker.firewall.records import Confirmed, FirewallRecords, Pending
from worker.firewall.reversion import Reversion
from worker.firewall.ruleset import Ground, is_needed, render
from worker.mesh.table import MeshTable
from worker.runtime.engine import EngineRefused

LOOK_EVERY_S = 30.0
LOOK_WHILE_PENDING_S = 0.25
GRACE_S = 2.0
"""How long after the end of its window a change is left to the process that is there to take it back."""

log = structlog.get_logger("firewall")


class NothingToConfirm(Exception):
    """No unconfirmed change has this token: it was replaced by a newer one, or has been taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to change. `rules` counts only when `sets_rules`; None for the others leaves them as they are."""

    sets_rules: bool = False
    rules: tuple[Rule, ...] | None = None
    grants: tuple[Grant, ...] | None = None
    tenant_port: TenantPort | None = None
    window_s: float

    def changed(self, policy: Policy) -> Policy:
        changed = replace(policy, rules=self.rules) if self.sets_rules else policy
        if self.grants is not None:
            changed = replace(changed, grants=self.grants)
        if self.tenant_port is not None:
            others = tuple(one for one in changed.tenant_ports if one.port != self.tenant_port.port)
            added = (self.tenant_port,) if self.tenant_port.orgs else ()
            changed = replace(changed, tenant_ports=others + added)
        return changed

    def touches_packets(self) -> bool:
        return self.sets_rules or self.tenant_port is not None


@dataclass(frozen=True, slots=True)
class Armed:
    """A change that is in force until `expires_at` (Unix seconds) unless `token` confirms it."""

    version: int
    token: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Standing:
    """`fault` says why packets are not filtered; empty when they are, or need not be."""

    confirmed: Confirmed
    pending: Pending | None
    enforced: bool
    fault: str


class Firewall:
    """`bridges` names the networks that were made before bridges had names of ours; `bridge_of` an organisation's."""

    def __init__(
        self,
        records: FirewallRecords,
        nft: Nft,
        ground: Ground,
        table: MeshTable,
        clock: Clock,
        bridges: Callable[[], Awaitable[set[str]]],
        bridge_of: Callable[[str], str],
    ) -> None:
        self._records = records
        self._nft = nft
        self._ground = ground
        self._table = table
        self._clock = clock
        self._bridges = bridges
        self._bridge_of = bridge_of
        self._reversion = Reversion(records, nft, clock)
        self._changed = asyncio.Event()
        self._applied = ""
        self._fault = ""
        self._waiting = 0

    async def configure(self, wish: Wish) -> Armed:
        """In force when it returns, and armed to be taken back. Raises FirewallUnavailable, RulesetRefused; nothing changed then."""
        token = secrets.token_urlsafe(24)
        change = await asyncio.to_thread(self._change, wish, token)
        self._grant(change.policy)
        self._changed.set()
        log.info("firewall_changed", version=change.version, confirm_within_s=wish.window_s)
        return Armed(change.version, token, change.expires_at)

    async def confirm(self, token: str) -> Confirmed:
        """Raises NothingToConfirm. To confirm twice is no error."""
        confirmed = await asyncio.to_thread(self._confirm, token)
        self._changed.set()
        log.info("firewall_confirmed", version=confirmed.version)
        return confirmed

    async def standing(self) -> Standing:
        confirmed, pending = await asyncio.to_thread(self._read)
        return Standing(confirmed, pending, bool(self._applied) and not self._fault, self._fault)

    async def begin(self) -> None:
        """At start, before a request is taken: what was in force is so again, and a change that still waits is guarded anew."""
        await self._put_in_force()
        _confirmed, pending = await asyncio.to_thread(self._read)
        if pending is not None:
            try:
                await asyncio.to_thread(arm, self._records.folder, self._nft)
            except FirewallUnavailable as error:
                # `keep` takes it back itself when its time has come.
                log.warning("firewall_guard_missing", reason=str(error))

    async def keep(self) -> None:
        """Until cancelled: the kernel has what is in force, and what was taken back is no longer granted."""
        while True:
            self._changed.clear()
            try:
                pending = await self._look()
            except Exception:
                # A full disk, say. What is in the kernel stays, and the next look tries again.
                log.exception("firewall_look_failed")
                pending = False
            try:
                async with asyncio.timeout(LOOK_WHILE_PENDING_S if pending else LOOK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look(self) -> bool:
        """Whether a change waits for its confirmation."""
        await self._know_bridges()
        return await self._put_in_force()

    async def _put_in_force(self) -> bool:
        """As `_look`, without asking the engine for anything."""
        try:
            policy, pending = await asyncio.to_thread(self._settle)
        except (FirewallUnavailable, RulesetRefused) as error:
            self._tell(str(error))
            confirmed, pending_change = await asyncio.to_thread(self._read)
            policy, pending = (pending_change or confirmed).policy, pending_change is not None
        else:
            self._tell("")
        self._grant(policy)
        return pending

    async def _know_bridges(self) -> None:
        if not self._ground.isolate or self._waiting:
            # A change is waiting: an engine that is slow to answer must not delay its end.
            return
        try:
            named = await self._bridges()
        except (EngineUnavailable, EngineRefused):
            # Without an engine there are no packets from its bridges.
            return
        bridges = tuple(sorted({*self._ground.bridges, *named}))
        self._ground = replace(self._ground, bridges=bridges)

    def _settle(self) -> tuple[Policy, bool]:
        with self._records.locked():
            change = self._records.pending()
            if change is not None and self._clock.now() > change.expires_at + GRACE_S:
                self._reversion.look(now_at_the_latest=True)
                change = None
            confirmed = self._records.confirmed()
            self._notice(change, confirmed)
            policy = (change or confirmed).policy
            self._enforce(policy)
            return policy, change is not None

    def _notice(self, change: Pending | None, confirmed: Confirmed) -> None:
        waited, self._waiting = self._waiting, 0 if change is None else change.version
        if change is None and waited > confirmed.version:
            self._applied = ""
            log.warning("firewall_reverted", version=waited, back_to=confirmed.version)

    def _enforce(self, policy: Policy) -> None:
        ground = self._ground
        ruleset = self._rendered(policy)
        if not is_needed(policy, ground):
            if self._nft.found() is not None and self._nft.has_table(ground.table):
                self._nft.apply(ruleset)
            self._applied = ""
        elif ruleset != self._applied or not self._nft.has_table(ground.table):
            self._nft.apply(ruleset)
            self._applied = ruleset

    def _change(self, wish: Wish, token: str) -> Pending:
        with self._records.locked():
            confirmed = self._records.confirmed()
            waiting = self._records.pending()
            policy = wish.changed(confirmed.policy)
            packets = wish.touches_packets() or (waiting is not None and waiting.former is not None)
            ruleset = self._rendered(policy)
            if packets:
                self._nft.check(ruleset)
            change = Pending(
                version=self._records.next_version(),
                token_digest=_digest(token),
                policy=policy,
                expires_at=self._clock.now() + wish.window_s,
                window_s=wish.window_s,
                former=self._rendered(confirmed.policy) if packets else None,
            )
            self._records.put_pending(change)
            try:
                arm(self._records.folder, self._nft)
                if packets:
                    self._nft.apply(ruleset)
                    self._applied = ruleset
            except (FirewallUnavailable, RulesetRefused):
                self._reversion.look(now_at_the_latest=True)
                raise
            return change

    def _confirm(self, token: str) -> Confirmed:
        digest = _digest(token)
        with self._records.locked():
            change = self._records.pending()
            if change is not None and hmac.compare_digest(change.token_digest, digest):
                # The process that takes changes back may be late; the promise was a time.
                if self._clock.now() >= change.expires_at:
                    raise NothingToConfirm(NothingToConfirm.__doc__)
                self._records.confirm(change)
                return change.confirmed()
            confirmed = self._records.confirmed()
            if change is None and hmac.compare_digest(confirmed.token_digest, digest):
                return confirmed
            raise NothingToConfirm(NothingToConfirm.__doc__)

    def _read(self) -> tuple[Confirmed, Pending | None]:
        with self._records.locked():
            return self._records.confirmed(), self._records.pending()

    def _rendered(self, policy: Policy) -> str:
        bridge_of = {org: self._bridge_of(org) for one in policy.tenant_ports for org in one.orgs}
        return render(policy, self._ground, bridge_of)

    def _grant(self, policy: Policy) -> None:
        self._table.allow({one.project_id: (one.owner, frozenset(one.orgs)) for one in policy.grants})

    def _tell(self, fault: str) -> None:
        """Once for each change, not at every look."""
        if fault != self._fault:
            self._fault = fault
            if fault:
                log.warning("firewall_unavailable", reason=fault)
            else:
                log.info("firewall_available")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
