"""Add-ons and their links in SQLite."""

import json
import sqlite3
from dataclasses import dataclass

import aiosqlite

from shared.database import Database, Row
from worker.services.model import (
    AddOn,
    AddOnExists,
    AddOnUnknown,
    Definition,
    Link,
    LinkTaken,
    State,
    Wanted,
)


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link is made of: the add-on behind a variable, and its sealed credentials."""

    variable: str
    addon: AddOn
    credentials: bytes


class AddOnStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, addon: AddOn, credentials: bytes, link: Link | None) -> None:
        """Raises AddOnExists, LinkTaken; then nothing is recorded."""
        async with self._database.transaction() as writer:
            try:
                await writer.execute(
                    "INSERT INTO addons (addon_id, org_id, name, definition, credentials, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        addon.addon_id,
                        addon.org_id,
                        addon.name,
                        json.dumps(addon.definition.to_json()),
                        credentials,
                        addon.created_at,
                    ),
                )
            except sqlite3.IntegrityError:
                raise AddOnExists(
                    f"The organisation has a service named {addon.name} already: choose another name."
                ) from None
            if link is not None:
                await _link(writer, addon.addon_id, link)

    async def revive(self, addon_id: str, link: Link | None) -> None:
        """What was removed with its data kept is wanted again. Raises LinkTaken."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "UPDATE addons SET wanted = ?, state = ?, reason = '' WHERE addon_id = ? AND wanted = ?",
                (Wanted.RUNNING, State.INSTALLING, addon_id, Wanted.KEPT),
            )
            if link is not None:
                await _link(writer, addon_id, link)

    async def find(self, addon_id: str) -> AddOn | None:
        row = await self._database.fetch_one("SELECT * FROM addons WHERE addon_id = ?", (addon_id,))
        return None if row is None else _addon(row)

    async def get(self, addon_id: str) -> AddOn:
        """Raises AddOnUnknown."""
        addon = await self.find(addon_id)
        if addon is None:
            raise AddOnUnknown(f"There is no service {addon_id} on this node.")
        return addon

    async def named(self, org_id: str, name: str) -> AddOn | None:
        row = await self._database.fetch_one(
            "SELECT * FROM addons WHERE org_id = ? AND name = ?", (org_id, name)
        )
        return None if row is None else _addon(row)

    async def all(self, org_id: str | None = None) -> list[AddOn]:
        """Oldest first, of every organisation or of one."""
        rows = await self._database.fetch_all(
            "SELECT * FROM addons WHERE ? IS NULL OR org_id = ? ORDER BY created_at, addon_id",
            (org_id, org_id),
        )
        return [_addon(row) for row in rows]

    async def orgs(self) -> set[str]:
        """Those that have a container here, or are to have one."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT org_id FROM addons WHERE NOT (wanted = ? AND state = ?)",
            (Wanted.KEPT, State.KEPT),
        )
        return {row["org_id"] for row in rows}

    async def credentials(self, addon_id: str) -> bytes:
        """Sealed. Raises AddOnUnknown."""
        row = await self._database.fetch_one("SELECT credentials FROM addons WHERE addon_id = ?", (addon_id,))
        if row is None:
            raise AddOnUnknown(f"There is no service {addon_id} on this node.")
        return bytes(row["credentials"])

    async def links(self) -> dict[str, list[Link]]:
        """By add-on."""
        rows = await self._database.fetch_all("SELECT * FROM addon_links ORDER BY project_id, variable")
        found: dict[str, list[Link]] = {}
        for row in rows:
            found.setdefault(row["addon_id"], []).append(Link(row["project_id"], row["variable"]))
        return found

    async def linked_to(self, project_id: str) -> list[Linked]:
        rows = await self._database.fetch_all(
            "SELECT l.variable, a.* FROM addon_links l JOIN addons a USING (addon_id) WHERE l.project_id = ?",
            (project_id,),
        )
        return [Linked(row["variable"], _addon(row), bytes(row["credentials"])) for row in rows]

    async def pin(self, addon_id: str, image_id: str) -> None:
        await self._write("UPDATE addons SET image_id = ? WHERE addon_id = ?", image_id, addon_id)

    async def unpin(self, addon_id: str) -> None:
        await self._write("UPDATE addons SET image_id = NULL WHERE addon_id = ?", addon_id)

    async def see(self, addon_id: str, state: State, reason: str = "") -> None:
        """Of one that is to run; what is to go is shown as going."""
        await self._write(
            "UPDATE addons SET state = ?, reason = ? WHERE addon_id = ? AND wanted = ?",
            state,
            reason,
            addon_id,
            Wanted.RUNNING,
        )

    async def want_gone(self, addon_id: str, wanted: Wanted) -> None:
        """With it go the links: what is removed is nobody's database any more. Never takes back a wish to delete the data."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "UPDATE addons SET wanted = ?, state = ?, reason = '' WHERE addon_id = ? AND wanted <> ?",
                (wanted, State.REMOVING, addon_id, Wanted.DELETED),
            )
            await writer.execute("DELETE FROM addon_links WHERE addon_id = ?", (addon_id,))

    async def see_kept(self, addon_id: str) -> None:
        """Unless it is wanted again by now."""
        await self._write(
            "UPDATE addons SET state = ? WHERE addon_id = ? AND wanted = ?", State.KEPT, addon_id, Wanted.KEPT
        )

    async def remove(self, addon_id: str) -> None:
        await self._write("DELETE FROM addons WHERE addon_id = ?", addon_id)

    async def _write(self, sql: str, *parameters: object) -> None:
        async with self._database.transaction() as writer:
            await writer.execute(sql, parameters)


async def _link(writer: aiosqlite.Connection, addon_id: str, link: Link) -> None:
    try:
        await writer.execute(
            "INSERT INTO addon_links (project_id, variable, addon_id) VALUES (?, ?, ?)",
            (link.project_id, link.variable, addon_id),
        )
    except sqlite3.IntegrityError:
        raise LinkTaken(
            f"{link.variable} of the project {link.project_id} holds another service: name another variable."
        ) from None


def _addon(row: Row) -> AddOn:
    return AddOn(
        addon_id=row["addon_id"],
        org_id=row["org_id"],
        name=row["name"],
        definition=Definition.from_json(json.loads(row["definition"])),
        image_id=row["image_id"],
        wanted=Wanted(row["wanted"]),
        state=State(row["state"]),
        reason=row["reason"],
        created_at=row["created_at"],
    )
