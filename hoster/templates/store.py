"""Templates and their revisions in the database."""

from collections.abc import Callable, Mapping

import aiosqlite

from hoster.bodies import BodyInvalid
from hoster.paging import Page, PageRequest, counted, page_of
from hoster.templates.document import stored_document, write_document
from hoster.templates.model import Template, TemplateDocument
from shared.clock import Clock
from shared.database import Database, Row
from shared.ids import new_id

_SEEN = "t.deleted_at IS NULL AND (t.published = 1 OR t.author_id = :viewer)"
_SELECT = f"""
    SELECT t.*, r.document FROM templates t
    JOIN template_revisions r ON r.template_id = t.id AND r.revision = t.revision
    WHERE {_SEEN}
"""  # noqa: S608 - constant text
_FILTER = "AND (:category IS NULL OR t.category = :category) AND (:q IS NULL OR instr(t.words, :q) > 0)"
_VISIBLE = """
    SELECT coalesce((SELECT n FROM counts WHERE what = 'templates' AND state = 'published'), 0)
         + (SELECT count(*) FROM templates WHERE author_id = :viewer AND published = 0 AND deleted_at IS NULL)
"""
"""How many there are without a filter; with one, their words have to be read."""


class TemplateStore:
    def __init__(self, database: Database, clock: Clock, identifier: Callable[[str], str] = new_id) -> None:
        self._database = database
        self._clock = clock
        self._new_id = identifier

    async def ship(self, catalog: Mapping[str, TemplateDocument]) -> None:
        """Adds what is new and makes a new revision of what has changed; never changes an existing revision."""
        async with self._database.transaction() as connection:
            for slug, document in catalog.items():
                await self._ship_one(connection, slug, write_document(document))

    async def _ship_one(self, connection: aiosqlite.Connection, slug: str, document: str) -> None:
        now = self._clock.now()
        rows = await connection.execute_fetchall(
            "SELECT t.id, t.revision, r.document FROM templates t JOIN template_revisions r"
            " ON r.template_id = t.id AND r.revision = t.revision WHERE t.slug = ? AND t.author_id IS NULL",
            (slug,),
        )
        known = next(iter(rows), None)
        if known is not None and known["document"] == document:
            return
        if known is None:
            identifier, revision = self._new_id("tmpl_"), 1
            # A customer may have had the name first; a shipped template is never written into a customer's.
            await connection.execute(
                "UPDATE templates SET slug = slug || '-' || lower(hex(randomblob(4))) WHERE slug = ?", (slug,)
            )
            await connection.execute(
                "INSERT INTO templates (id, slug, revision, published, created_at, updated_at) VALUES (?, ?, 1, 1, ?, ?)",
                (identifier, slug, now, now),
            )
        else:
            identifier, revision = known["id"], known["revision"] + 1
            await connection.execute(
                "UPDATE templates SET revision = ?, updated_at = ? WHERE id = ?", (revision, now, identifier)
            )
        await write_revision(connection, identifier, revision, document, now)

    async def find(self, template_id: str, viewer_id: str) -> Template | None:
        """Published ones, and the viewer's own drafts."""
        row = await self._database.fetch_one(
            f"{_SELECT} AND t.id = :id",
            {"viewer": viewer_id, "id": template_id},
        )
        return None if row is None else _template(row)

    async def page(
        self, viewer_id: str, request: PageRequest, q: str | None, category: str | None
    ) -> Page[Template]:
        parameters = {
            "viewer": viewer_id,
            "q": None if q is None else q.lower(),
            "category": category,
            "before": request.before,
            "limit": request.limit + 1,
        }
        rows = await self._database.fetch_all(
            f"{_SELECT} {_FILTER} AND (:before IS NULL OR t.seq < :before) ORDER BY t.seq DESC LIMIT :limit",
            parameters,
        )
        total = await self._database.fetch_one(
            _VISIBLE
            if q is None and category is None
            else f"SELECT count(*) FROM templates t WHERE {_SEEN} {_FILTER}",  # noqa: S608 - constant text
            parameters,
        )
        return page_of(rows, request, _template, counted(total))

    async def revision(self, template_id: str, revision: int) -> TemplateDocument:
        """The document that a deployment pinned: it exists by foreign key."""
        row = await self._database.fetch_one(
            "SELECT document FROM template_revisions WHERE template_id = ? AND revision = ?",
            (template_id, revision),
        )
        if row is None:
            raise BodyInvalid.of("template_revision", "is not kept any more")
        return stored_document(row["document"])


async def write_revision(
    connection: aiosqlite.Connection, template_id: str, revision: int, document: str, now: float
) -> None:
    """The newest one: it is what the template is found by from now on."""
    await connection.execute(
        "INSERT INTO template_revisions (template_id, revision, document, created_at) VALUES (?, ?, ?, ?)",
        (template_id, revision, document, now),
    )
    read = stored_document(document)
    words = "\n".join((read.name, read.description, *read.tags)).lower()
    await connection.execute(
        "UPDATE templates SET category = ?, words = ? WHERE id = ?", (read.category, words, template_id)
    )


def _template(row: Row) -> Template:
    return Template(
        id=row["id"],
        slug=row["slug"],
        author_id=row["author_id"],
        revision=row["revision"],
        published=bool(row["published"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        document=stored_document(row["document"]),
    )
