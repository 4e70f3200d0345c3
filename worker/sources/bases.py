"""The images that a build starts from: here before it begins, and without triggers that reach for somebody else's images.

Facts (the classic builder): it looks a base up by its name when it gets there, which may be minutes after the build was asked for; the
triggers of that image (`ONBUILD`) then run as if they stood behind `FROM`, and `COPY --from=<any image>` may be among them.
"""

from collections.abc import Mapping, Sequence

from shared.image_names import LONGEST, is_name
from worker.deploys.pins import Pins
from worker.runtime.engine import ImageSeen, ImageUnavailable
from worker.sources.base_images import doubtful_triggers
from worker.sources.errors import SourceFailed


class BaseImages:
    def __init__(self, pins: Pins) -> None:
        self._pins = pins

    async def checked(self, names: Sequence[str], deploy_id: str) -> Mapping[str, str]:
        """The ids of the images, by name. Raises SourceFailed."""
        for name in names:
            if not is_name(name):
                raise SourceFailed(f"The source builds on {name[:LONGEST]}, which is no name of an image.")
        return {name: (await self._checked(name, deploy_id)).image_id for name in names}

    async def check_again(self, before: Mapping[str, str], deploy_id: str) -> None:
        """Triggers are about to run: are they those that were looked at? Names can be given to other images meanwhile. Raises SourceFailed."""
        for name, image_id in before.items():
            if (await self._have(name, deploy_id)).image_id != image_id:
                raise SourceFailed(
                    f"The image {name} became another one while it was built on: deploy again."
                )

    async def _checked(self, name: str, deploy_id: str) -> ImageSeen:
        image = await self._have(name, deploy_id)
        doubtful = doubtful_triggers(image.triggers)
        if doubtful:
            raise SourceFailed(
                f"The image {name} has a trigger that uses {', '.join(doubtful)}, which may be the image of another project."
            )
        return image

    async def _have(self, name: str, deploy_id: str) -> ImageSeen:
        try:
            return await self._pins.have(name, deploy_id)
        except ImageUnavailable as error:
            raise SourceFailed(str(error)) from error
