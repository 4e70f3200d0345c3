"""Domains in the database. A row is a claim; with `verified_at` it is a proved one."""

from dataclasses import dataclass
from enum import StrEnum

import aiosqlite
from aiohttp import web

from hoster.domains.hostname import LAPSES_AFTER_S
from hoster.paging import Page, PageRequest, counted, page_of
from shared.database import Database, Row

_SELECT = """
    SELECT m.*, d.status AS deployment_status, d.project_id, d.node_id AS deployed_on
    FROM domains m JOIN deployments d ON d.id = m.deployment_id
"""


class DomainStatus(StrEnum):
    """PENDING: not proved yet. VERIFIED: the node has still to be told. ACTIVE: its node routes it."""

    PENDING = "pending"
    VERIFIED = "verified"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """`problem` is why the node did not take it."""

    seq: int
    hostname: str
    deployment_id: str
    project_id: str
    deployment_is_gone: bool
    claimed_at: float
    verified_at: float | None
    method: str | None
    is_on_node: bool
    problem: str | None

    @property
    def status(self) -> DomainStatus:
        if self.verified_at is None:
            return DomainStatus.PENDING
        return DomainStatus.ACTIVE if self.is_on_node else DomainStatus.VERIFIED

    def is_free(self, now: float) -> bool:
        """Whether anyone may claim the name in spite of this row."""
        lapsed = self.verified_at is None and now - self.claimed_at > LAPSES_AFTER_S
        return lapsed or self.deployment_is_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the node of a deployment should route to it."""

    deployment_id: str
    project_id: str
    org_id: str
    node_id: str
    hostnames: frozenset[str]


class DomainStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, hostname: str, deployment_id: str) -> Domain | None:
        row = await self._database.fetch_one(
            f"{_SELECT} WHERE m.hostname = ? AND m.deployment_id = ?", (hostname, deployment_id)
        )
        return None if row is None else domain_of(row)

    async def holder(self, hostname: str) -> Domain | None:
        row = await self._database.fetch_one(f"{_SELECT} WHERE m.hostname = ?", (hostname,))
        return None if row is None else domain_of(row)

    async def page(self, deployment_id: str, request: PageRequest) -> Page[Domain]:
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE m.deployment_id = :id AND (:before IS NULL OR m.seq < :before) ORDER BY m.seq DESC LIMIT :limit",
            {"id": deployment_id, "before": request.before, "limit": request.limit + 1},
        )
        total = await self._database.fetch_one(
            "SELECT count(*) FROM domains WHERE deployment_id = ?", (deployment_id,)
        )
        return page_of(rows, request, domain_of, counted(total))

    async def waiting(self) -> list[str]:
        """Deployments with a proved domain that no node has confirmed, while theirs can know the project."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT d.id FROM domains m CROSS JOIN deployments d ON d.id = m.deployment_id"  # few domains, many deployments
            " WHERE m.verified_at IS NOT NULL AND m.node_id IS NULL AND d.node_id IS NOT NULL"
            " AND d.status IN ('starting', 'running', 'stopping', 'stopped')"
        )
        return [row["id"] for row in rows]

    async def placement(self, deployment_id: str) -> Placement | None:
        """None while the deployment is on no node, and once it is deleted."""
        found = await self._placements("d.id = ?", deployment_id)
        return found[0] if found else None

    async def placements(self, node_id: str) -> list[Placement]:
        """Of every live deployment on a node, with or without domains."""
        return await self._placements("d.node_id = ?", node_id)

    async def _placements(self, condition: str, value: str) -> list[Placement]:
        rows = await self._database.fetch_all(
            "SELECT d.id, d.project_id, d.org_id, d.node_id, m.hostname FROM deployments d"  # noqa: S608 - constant text
            " LEFT JOIN domains m ON m.deployment_id = d.id AND m.verified_at IS NOT NULL"
            f" WHERE d.status NOT IN ('deleting', 'deleted') AND d.node_id IS NOT NULL AND {condition} ORDER BY d.id",
            (value,),
        )
        hostnames: dict[str, set[str]] = {row["id"]: set() for row in rows}
        for row in rows:
            if row["hostname"] is not None:
                hostnames[row["id"]].add(row["hostname"])
        return [
            Placement(
                deployment_id=row["id"],
                project_id=row["project_id"],
                org_id=row["org_id"],
                node_id=row["node_id"],
                hostnames=frozenset(hostnames[row["id"]]),
            )
            for row in {row["id"]: row for row in rows}.values()
        ]

    async def confirm(self, placement: Placement) -> None:
        """The node routes exactly these."""
        async with self._database.transaction() as connection:
            await connection.executemany(
                "UPDATE domains SET node_id = ?, problem = NULL WHERE hostname = ? AND deployment_id = ?",
                [
                    (placement.node_id, hostname, placement.deployment_id)
                    for hostname in sorted(placement.hostnames)
                ],
            )

    async def explain(self, hostname: str, deployment_id: str, problem: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE domains SET problem = ?, node_id = NULL WHERE hostname = ? AND deployment_id = ?",
                (problem, hostname, deployment_id),
            )


DOMAIN_STORE = web.AppKey("domain_store", DomainStore)


async def read_domain(connection: aiosqlite.Connection, hostname: str) -> Domain | None:
    """Within a transaction."""
    rows = await connection.execute_fetchall(f"{_SELECT} WHERE m.hostname = ?", (hostname,))
    found = next(iter(rows), None)
    return None if found is None else domain_of(found)


def domain_of(row: Row) -> Domain:
    return Domain(
        seq=row["seq"],
        hostname=row["hostname"],
        deployment_id=row["deployment_id"],
        project_id=row["project_id"],
        deployment_is_gone=row["deployment_status"] == "deleted",
        claimed_at=row["claimed_at"],
        verified_at=row["verified_at"],
        method=row["method"],
        is_on_node=row["node_id"] is not None and row["node_id"] == row["deployed_on"],
        problem=row["problem"],
    )
