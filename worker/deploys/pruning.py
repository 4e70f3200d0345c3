"""Removes the images of forgotten releases and deleted add-ons, so that the disk stays bounded however often somebody deploys.

Rules:
- Removed is only what we built (it carries our label) or what a deploy or an add-on brought here (it is recorded): a foreign image, or
  one that was here before us, never.
- An image stays while a kept release or an add-on has it; while who used it last is a kept release, a deploy that goes on, or an add-on that
  has no image yet; and while the engine says that something else needs it.
- Nobody finds an image that is about to be removed: whoever looks for one says so while nothing is being removed.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import structlog

from worker.deploys.images import FetchedImage, FetchedImages, Needed
from worker.errors import EngineUnavailable
from worker.runtime import labels
from worker.runtime.engine import Engine

log = structlog.get_logger("pruning")


class Pruning:
    """Asked often, done once at a time, in the background: no deploy waits for it."""

    def __init__(self, engine: Engine, instance: str, images: FetchedImages) -> None:
        self._engine = engine
        self._instance = instance
        self._images = images
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._finders: dict[str, set[str]] = {}

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """No image is removed meanwhile."""
        async with self._turn:
            yield

    def keep(self, image_id: str, user: str) -> None:
        """As long as that deploy goes on, or that add-on has no image. To be said while nothing is removed (`waiting`).

        Not recorded: a deploy that a crash interrupts looks for its images again.
        """
        self._finders.setdefault(image_id, set()).add(user)

    def ask(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled. Failure policy: what could not be removed is tried again the next time somebody asks."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                removed = await self._prune_all()
            except EngineUnavailable as error:
                log.warning("not_pruned", reason=str(error))
            except Exception:
                log.exception("not_pruned")
            else:
                if removed:
                    log.info("images_removed", count=removed)

    async def _prune_all(self) -> int:
        """A layer can go once what stands on it has gone."""
        removed = 0
        while count := await self.prune():
            removed += count
        return removed

    async def prune(self) -> int:
        """How many images and layers went."""
        built = await self._engine.images({labels.INSTANCE: self._instance})
        # Read after the listing: what is built from now on is not in it.
        needed = await self._needed()
        await self._settle_pulls(needed)
        await self._adopt_layers()
        removed = 0
        for image in built:
            if image.image_id not in needed.images and image.labels.get(labels.RELEASE) not in needed.users:
                names = image.tags or (image.image_id,)
                removed += sum([await self._engine.remove_image(name) for name in names])
        for fetched in await self._images.all():
            if not self._is_needed(fetched, needed):
                removed += await self._remove_fetched(fetched)
        return removed

    async def _needed(self) -> Needed:
        async with self._turn:
            needed = await self._images.needed()
            self._forget_finders(needed.users)
            return needed

    def _forget_finders(self, but: Collection[str]) -> None:
        kept = {image_id: users.intersection(but) for image_id, users in self._finders.items()}
        self._finders = {image_id: users for image_id, users in kept.items() if users}

    def _is_needed(self, image: FetchedImage, needed: Needed) -> bool:
        users = {image.used_by, *self._finders.get(image.image_id, ())}
        return image.image_id in needed.images or not needed.users.isdisjoint(users)

    async def _settle_pulls(self, needed: Needed) -> None:
        """A pull whose user has come to its end was interrupted, or failed: what came of it is ours."""
        for reference, used_by in await self._images.begun_pulls():
            if used_by in needed.users:
                continue
            named = await self._engine.image(reference)
            if named is None:
                await self._images.give_up_pull(reference)
            else:
                await self._images.end_pull(reference, named.image_id, used_by, pulled=False)

    async def _adopt_layers(self) -> None:
        """A build that a crash interrupted may have ended its step after all: what stands on a layer of ours, and has no name, is ours too."""
        recorded = {fetched.image_id: fetched for fetched in await self._images.all()}
        users = {one.image_id: one.used_by for one in recorded.values() if not one.reference}
        waiting = [
            layer
            for layer in await self._engine.layers()
            if layer.image_id not in recorded and labels.INSTANCE not in layer.labels
        ]
        while adopted := [layer for layer in waiting if layer.parent in users]:
            for layer in adopted:
                waiting.remove(layer)
                users[layer.image_id] = users[layer.parent]
                await self._images.fetched(layer.image_id, "", users[layer.image_id])

    async def _remove_fetched(self, image: FetchedImage) -> bool:
        async with self._turn:
            # Somebody may have found it since it was listed.
            if self._is_needed(image, await self._images.needed()):
                return False
            gone = await self._engine.remove_image(await self._name(image))
            if gone:
                await self._images.forget(image.image_id)
            return gone

    async def _name(self, image: FetchedImage) -> str:
        """The name while it still means this image; somebody may have given the image other names, which stay."""
        if not image.reference:
            return image.image_id
        named = await self._engine.image(image.reference)
        still = named is not None and named.image_id == image.image_id
        return image.reference if still else image.image_id
