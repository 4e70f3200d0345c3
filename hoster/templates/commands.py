"""What authors do with their templates. Someone else's template, published or not, cannot be changed: to them it is not there."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping

import aiosqlite

from hoster.deployments.naming import slug
from hoster.templates.document import read_document, write_document
from hoster.templates.model import HIDDEN, Template
from hoster.templates.store import TemplateStore, write_revision
from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database, Row
from shared.ids import new_id

Check = Callable[[Template], None]
"""Made of the template as it is in the transaction, where nobody else writes; raises to refuse the change."""


class TemplateNotFound(Exception):
    """No such template, or not this viewer's to see or change."""


class TemplateCommands:
    def __init__(self, database: Database, templates: TemplateStore, clock: Clock) -> None:
        self._database = database
        self._templates = templates
        self._clock = clock

    async def write(self, viewer: Viewer, members: Mapping[str, object]) -> Template:
        """A draft, for its author alone until it is published. Raises BodyInvalid."""
        document = read_document(members)
        template_id, now = new_id("tmpl_"), self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO templates (id, slug, author_id, revision, published, created_at, updated_at)"
                " VALUES (?, ?, ?, 1, 0, ?, ?)",
                (template_id, await _free_slug(connection, document.name), viewer.user_id, now, now),
            )
            await write_revision(connection, template_id, 1, write_document(document), now)
        return await self._shown(viewer, template_id)

    async def revise(
        self, viewer: Viewer, template_id: str, changes: Mapping[str, object], check: Check
    ) -> Template:
        """A new revision, if `changes` change anything; deployments keep the one that they were made from. Raises
        BodyInvalid, TemplateNotFound, and what `check` raises.
        """
        now = self._clock.now()
        async with self._database.transaction() as connection:
            owned = await _owned(connection, viewer, template_id)
            check(await self._shown(viewer, template_id))
            former = json.loads(owned["document"])
            document = read_document({**former, **_with_hidden_defaults(changes, former["variables"])})
            text, revision = write_document(document), owned["revision"] + 1
            if text != owned["document"]:
                await write_revision(connection, template_id, revision, text, now)
                await connection.execute(
                    "UPDATE templates SET revision = ?, updated_at = ? WHERE id = ?",
                    (revision, now, template_id),
                )
        return await self._shown(viewer, template_id)

    async def set_published(
        self, viewer: Viewer, template_id: str, check: Check, *, published: bool
    ) -> Template:
        """Raises TemplateNotFound, and what `check` raises."""
        async with self._database.transaction() as connection:
            await _owned(connection, viewer, template_id)
            check(await self._shown(viewer, template_id))
            await connection.execute(
                "UPDATE templates SET published = ?, updated_at = ? WHERE id = ? AND published <> ?",
                (published, self._clock.now(), template_id, published),
            )
        return await self._shown(viewer, template_id)

    async def withdraw(self, viewer: Viewer, template_id: str, check: Check) -> None:
        """Its revisions stay for the deployments that run them. Raises TemplateNotFound, and what `check` raises."""
        async with self._database.transaction() as connection:
            await _owned(connection, viewer, template_id)
            check(await self._shown(viewer, template_id))
            await connection.execute(
                "UPDATE templates SET deleted_at = ? WHERE id = ?", (self._clock.now(), template_id)
            )

    async def _shown(self, viewer: Viewer, template_id: str) -> Template:
        template = await self._templates.find(template_id, viewer.user_id)
        if template is None:  # withdrawn in the moment since
            raise TemplateNotFound
        return template


def _with_hidden_defaults(
    changes: Mapping[str, object], former: Iterable[Mapping[str, object]]
) -> Mapping[str, object]:
    """A password's default is shown as `***`: sent back like that, it stays what it was."""
    variables = changes.get("variables")
    if not isinstance(variables, list):
        return changes
    defaults = {
        variable["name"]: variable["default"] for variable in former if variable["type"] == "password"
    }
    return {
        **changes,
        "variables": [
            {**variable, "default": defaults[variable["name"]]}
            if isinstance(variable, dict)
            and variable.get("default") == HIDDEN
            and variable.get("name") in defaults
            else variable
            for variable in variables
        ],
    }


async def _owned(connection: aiosqlite.Connection, viewer: Viewer, template_id: str) -> Row:
    rows = await connection.execute_fetchall(
        "SELECT t.revision, r.document FROM templates t"
        " JOIN template_revisions r ON r.template_id = t.id AND r.revision = t.revision"
        " WHERE t.id = ? AND t.author_id = ? AND t.deleted_at IS NULL",
        (template_id, viewer.user_id),
    )
    found = next(iter(rows), None)
    if found is None:
        raise TemplateNotFound
    return found


async def _free_slug(connection: aiosqlite.Connection, name: str) -> str:
    """The name's own, or with random letters when someone has it."""
    wanted = slug(name)
    taken = await connection.execute_fetchall("SELECT 1 FROM templates WHERE slug = ?", (wanted,))
    return f"{wanted}-{secrets.token_hex(4)}" if list(taken) else wanted
