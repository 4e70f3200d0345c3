"""Claiming, proving and giving up domains.

Rules:
- One deployment in the whole system holds a host name. A claim without proof lapses after seven days.
- A proof that is in the DNS now beats a claim that has none there now, proved earlier or not: who controls the name gets it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments import naming
from hoster.deployments.model import AppUrls, Deployment
from hoster.domains.hostname import Challenge, HostnameRefused, challenge, checked_hostname
from hoster.domains.resolver import Resolver
from hoster.domains.store import Domain, DomainStore, read_domain
from shared.clock import Clock
from shared.database import Database

DOMAINS_MOST = 50
"""Of one deployment."""


class DomainNotFound(Exception):
    """This deployment does not hold such a host name."""


class TooManyDomains(Exception):
    """The deployment has as many domains as it may."""


class HostnameTaken(Exception):
    """Another deployment holds the name. Publishing one of `records` and asking again takes it over from a holder without proof."""

    def __init__(self, challenge: Challenge) -> None:
        super().__init__(f"Another deployment holds {challenge.hostname}.")
        self.records = challenge.as_json()


class DomainUnproved(Exception):
    """Neither record is in the DNS. `found` is what was there instead."""

    def __init__(self, challenge: Challenge, found: list[str]) -> None:
        super().__init__(f"No record in the DNS proves that {challenge.hostname} is yours yet.")
        self.records = challenge.as_json()
        self.found = found


@dataclass(frozen=True, slots=True)
class Proof:
    """`method` is `txt`, `cname`, or None; `found` are the records that were there."""

    method: str | None
    found: list[str]


class DomainCommands:
    """`changed` is called with the id of the deployment whose node has to be told."""

    def __init__(
        self, database: Database, domains: DomainStore, resolver: Resolver, urls: AppUrls, clock: Clock,
        changed: Callable[[str], None], suffixes: tuple[str, ...],
    ) -> None:  # fmt: skip
        self._database = database
        self._domains = domains
        self._resolver = resolver
        self._urls = urls
        self._clock = clock
        self._changed = changed
        self._suffixes = suffixes

    def challenge(self, domain: Domain) -> Challenge:
        return self._challenge(domain.hostname, domain.deployment_id, domain.project_id)

    async def claim(self, deployment: Deployment, text: str) -> tuple[Domain, bool]:
        """And whether it is new. Raises BodyInvalid, HostnameTaken, TooManyDomains or DnsUnavailable."""
        try:
            hostname = checked_hostname(text, self._suffixes)
        except HostnameRefused as refused:
            raise BodyInvalid.of("hostname", str(refused)) from None
        holder = await self._domains.holder(hostname)
        if holder is not None and holder.deployment_id == deployment.id:
            return holder, False
        method = None
        if holder is not None and not holder.is_free(self._clock.now()):
            method = await self._beats(deployment, holder)
        claimed = await self._write_claim(deployment, hostname, holder, method)
        if method is not None:
            self._changed(deployment.id)
        if holder is not None:
            self._changed(holder.deployment_id)
        return claimed, True

    async def verify(self, deployment: Deployment, hostname: str) -> Domain:
        """Raises DomainNotFound, DomainUnproved or DnsUnavailable."""
        domain = await self._held(deployment, hostname)
        if domain.verified_at is not None:
            return domain
        wanted = self.challenge(domain)
        proof = await self._proof(wanted)
        if proof.method is None:
            raise DomainUnproved(wanted, proof.found)
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "UPDATE domains SET verified_at = ?, method = ? WHERE hostname = ? AND deployment_id = ?",
                (self._clock.now(), proof.method, domain.hostname, deployment.id),
            )
            if cursor.rowcount != 1:
                raise DomainNotFound
        self._changed(deployment.id)
        return await self._held(deployment, hostname)

    async def remove(self, deployment: Deployment, hostname: str) -> None:
        """Raises DomainNotFound."""
        domain = await self._held(deployment, hostname)
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM domains WHERE hostname = ? AND deployment_id = ?",
                (domain.hostname, deployment.id),
            )
        self._changed(deployment.id)

    async def _held(self, deployment: Deployment, hostname: str) -> Domain:
        try:
            name = checked_hostname(hostname, ())
        except HostnameRefused:
            raise DomainNotFound from None
        domain = await self._domains.find(name, deployment.id)
        if domain is None:
            raise DomainNotFound
        return domain

    async def _beats(self, deployment: Deployment, holder: Domain) -> str:
        """How this deployment proves the name now; raises HostnameTaken, or DnsUnavailable: then nobody knows whose it is."""
        wanted = self._challenge(holder.hostname, deployment.id, deployment.project_id)
        ours = await self._proof(wanted)
        theirs = await self._proof(self.challenge(holder)) if ours.method else Proof(None, [])
        if ours.method is None or theirs.method is not None:
            raise HostnameTaken(wanted)
        return ours.method

    async def _write_claim(
        self, deployment: Deployment, hostname: str, holder: Domain | None, method: str | None
    ) -> Domain:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            if _claim_of(await read_domain(connection, hostname)) != _claim_of(holder):  # someone was faster
                raise HostnameTaken(self._challenge(hostname, deployment.id, deployment.project_id))
            held = await connection.execute_fetchall(
                "SELECT count(*) AS n FROM domains WHERE deployment_id = ?", (deployment.id,)
            )
            if next(iter(held))["n"] >= DOMAINS_MOST:
                raise TooManyDomains
            await connection.execute("DELETE FROM domains WHERE hostname = ?", (hostname,))
            await connection.execute(
                "INSERT INTO domains (hostname, deployment_id, claimed_at, verified_at, method) VALUES (?, ?, ?, ?, ?)",
                (hostname, deployment.id, now, None if method is None else now, method),
            )
            claimed = await read_domain(connection, hostname)
        if claimed is None:  # it was written in the transaction that has just committed
            raise DomainNotFound
        return claimed

    async def _proof(self, wanted: Challenge) -> Proof:
        """Raises DnsUnavailable."""
        texts = await self._resolver.txt(wanted.txt_name)
        if wanted.txt_value in texts:
            return Proof("txt", texts)
        target = await self._resolver.cname(wanted.hostname)
        if target == wanted.cname_target:
            return Proof("cname", [target])
        return Proof(None, [*texts, *([] if target is None else [target])])

    def _challenge(self, hostname: str, deployment_id: str, project_id: str) -> Challenge:
        return challenge(hostname, deployment_id, naming.hosts(project_id, self._urls.domain)[0])


def _claim_of(domain: Domain | None) -> tuple[int, float | None] | None:
    return None if domain is None else (domain.seq, domain.verified_at)


DOMAIN_COMMANDS = web.AppKey("domain_commands", DomainCommands)
