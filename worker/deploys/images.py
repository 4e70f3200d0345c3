"""Images that deploys and add-ons brought to the engine, in SQLite: what may be removed when nobody needs it any more.

Images that we built carry our label and need no record; pulled images and the layers of builds cannot be labelled. A user of an image is
the id of a deploy (which is that of its release) or of an add-on.
"""

import json
from dataclasses import dataclass

import aiosqlite

from shared.database import Database


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """`reference` is the name under which it was pulled, empty for a layer of a build; `used_by` who used it last."""

    image_id: str
    reference: str
    used_by: str


@dataclass(frozen=True, slots=True)
class Needed:
    """`images` are those of all kept releases and of all add-ons. `users` are these releases, the deploys that are going on, and the
    add-ons that have no image yet.
    """

    images: frozenset[str]
    users: frozenset[str]


class FetchedImages:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_pull(self, reference: str, held: str, used_by: str) -> None:
        """`held` is the image that has the name now, empty for none. The first of two at the same time counts."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "INSERT INTO pulls (reference, held, used_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (reference, held, used_by),
            )

    async def end_pull(self, reference: str, image_id: str, used_by: str, *, pulled: bool) -> None:
        """What the name means now is in use. It is ours when it was `pulled`, or came since a pull that a crash interrupted was begun."""
        async with self._database.transaction() as writer:
            async with writer.execute("SELECT held FROM pulls WHERE reference = ?", (reference,)) as cursor:
                begun = await cursor.fetchone()
            await writer.execute("DELETE FROM pulls WHERE reference = ?", (reference,))
            if pulled or (begun is not None and begun["held"] != image_id):
                await _fetched(writer, image_id, reference, used_by)
            else:
                await _used(writer, image_id, used_by)

    async def give_up_pull(self, reference: str) -> None:
        async with self._database.transaction() as writer:
            await writer.execute("DELETE FROM pulls WHERE reference = ?", (reference,))

    async def begun_pulls(self) -> list[tuple[str, str]]:
        """References with their users."""
        rows = await self._database.fetch_all("SELECT reference, used_by FROM pulls")
        return [(row["reference"], row["used_by"]) for row in rows]

    async def fetched(self, image_id: str, reference: str, used_by: str) -> None:
        """`reference` is the name under which it was pulled, empty for a layer of a build."""
        async with self._database.transaction() as writer:
            await _fetched(writer, image_id, reference, used_by)

    async def used(self, image_id: str, used_by: str) -> None:
        """Nothing happens for an image that was here before us: it is not ours to remove."""
        async with self._database.transaction() as writer:
            await _used(writer, image_id, used_by)

    async def needed(self) -> Needed:
        releases = await self._database.fetch_all("SELECT release_id, images FROM releases")
        going_on = await self._database.fetch_all("SELECT deploy_id FROM deploys WHERE finished_at IS NULL")
        # Also of those whose data alone are kept: a database is read by the program that wrote it.
        addons = await self._database.fetch_all("SELECT addon_id, image_id FROM addons")
        images = {image["image_id"] for row in releases for image in json.loads(row["images"]).values()}
        return Needed(
            frozenset(images | {row["image_id"] for row in addons if row["image_id"] is not None}),
            frozenset(
                {row["release_id"] for row in releases}
                | {row["deploy_id"] for row in going_on}
                | {row["addon_id"] for row in addons if row["image_id"] is None}
            ),
        )

    async def all(self) -> list[FetchedImage]:
        """The newest first, so that a layer comes before the one below it."""
        rows = await self._database.fetch_all("SELECT * FROM fetched_images ORDER BY rowid DESC")
        return [FetchedImage(row["image_id"], row["reference"], row["used_by"]) for row in rows]

    async def forget(self, image_id: str) -> None:
        async with self._database.transaction() as writer:
            await writer.execute("DELETE FROM fetched_images WHERE image_id = ?", (image_id,))


async def _fetched(writer: aiosqlite.Connection, image_id: str, reference: str, used_by: str) -> None:
    await writer.execute(
        "INSERT INTO fetched_images (image_id, reference, used_by) VALUES (?, ?, ?)"
        " ON CONFLICT (image_id) DO UPDATE SET used_by = excluded.used_by",
        (image_id, reference, used_by),
    )


async def _used(writer: aiosqlite.Connection, image_id: str, used_by: str) -> None:
    await writer.execute("UPDATE fetched_images SET used_by = ? WHERE image_id = ?", (used_by, image_id))
