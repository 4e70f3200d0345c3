"""From the names of images to content on this node, with a record of what was brought here and for whom."""

from worker.deploys.images import FetchedImages
from worker.deploys.pruning import Pruning
from worker.runtime.engine import Engine, ImageSeen, ImageUnavailable
from worker.runtime.images import PinnedImage, pin_image, with_tag

PULLS = 3
"""How often an image is pulled that somebody removes as soon as it is here."""


class Pins:
    """Recorded before it is done, so that an image that arrives while the worker is killed is still known to be ours."""

    def __init__(self, engine: Engine, images: FetchedImages, pruning: Pruning) -> None:
        self._engine = engine
        self._images = images
        self._pruning = pruning

    async def pin(self, reference: str, used_by: str) -> PinnedImage:
        """As the registry has it now. `used_by` is a deploy or an add-on. Raises ImageUnavailable."""
        name = with_tag(reference)

        async def before_pull(held: str) -> None:
            await self._images.begin_pull(name, held, used_by)

        for _pull in range(PULLS):
            image = await pin_image(self._engine, reference, before_pull)
            async with self._pruning.waiting():
                if await self.is_here(image.image_id):
                    self._pruning.keep(image.image_id, used_by)
                    await self._images.end_pull(name, image.image_id, used_by, pulled=image.pulled)
                    return image
        raise ImageUnavailable(f"The image {reference} was pulled and is gone again.")

    def release(self) -> None:
        """Once the records of a user are gone: what nobody else needs goes too, by and by."""
        self._pruning.ask()

    async def is_here(self, image_id: str) -> bool:
        return await self._engine.image(image_id) is not None

    async def have(self, reference: str, used_by: str) -> ImageSeen:
        """As this node has it, pulled only when it has none. Raises ImageUnavailable."""
        async with self._pruning.waiting():
            seen = await self._engine.image(with_tag(reference))
            if seen is not None:
                self._pruning.keep(seen.image_id, used_by)
                return seen
        pinned = await self.pin(reference, used_by)
        seen = await self._engine.image(pinned.image_id)
        if seen is None:
            raise ImageUnavailable(f"The image {reference} was pulled and is gone again.")
        return seen
