"""Images that deploys brought to the engine, in SQLite: what may be removed when nobody needs it any more.

Images that we built carry our label and need no record; pulled images and the layers of builds cannot be labelled.
"""

import json

from shared.database import Database


class FetchedImages:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetched(self, image_id: str, reference: str, deploy_id: str) -> None:
        """`reference` is the name under which it was pulled, empty for a layer of a build."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "INSERT INTO fetched_images (image_id, reference, deploy_id) VALUES (?, ?, ?)"
                " ON CONFLICT (image_id) DO UPDATE SET deploy_id = excluded.deploy_id",
                (image_id, reference, deploy_id),
            )

    async def used(self, image_id: str, deploy_id: str) -> None:
        """Nothing happens for an image that was here before us: it is not ours to remove."""
        async with self._database.transaction() as writer:
            await writer.execute(
                "UPDATE fetched_images SET deploy_id = ? WHERE image_id = ?", (deploy_id, image_id)
            )

    async def needed(self) -> tuple[set[str], set[str]]:
        """The ids of the images of all kept releases, and the ids of the deploys that are kept as releases or still going on."""
        releases = await self._database.fetch_all("SELECT release_id, images FROM releases")
        going_on = await self._database.fetch_all("SELECT deploy_id FROM deploys WHERE finished_at IS NULL")
        images = {image["image_id"] for row in releases for image in json.loads(row["images"]).values()}
        return images, {row["release_id"] for row in releases} | {row["deploy_id"] for row in going_on}

    async def all(self) -> list[tuple[str, str, str]]:
        """Image id, reference and deploy id; the newest first, so that a layer comes before the one below it."""
        rows = await self._database.fetch_all("SELECT * FROM fetched_images ORDER BY rowid DESC")
        return [(row["image_id"], row["reference"], row["deploy_id"]) for row in rows]

    async def forget(self, image_id: str) -> None:
        async with self._database.transaction() as writer:
            await writer.execute("DELETE FROM fetched_images WHERE image_id = ?", (image_id,))
