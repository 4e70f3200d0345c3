"""From the name of an image to content that is on this node, pinned."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from worker.errors import EngineUnavailable
from worker.runtime.engine import Engine, EngineRefused, ImageSeen, ImageUnavailable

LOCAL = "localhost/"
"""Images under this name are built on the node and never pulled."""

PULL_DEADLINE_S = 300.0
REFRESH_DEADLINE_S = 30.0
"""How long a pull may take when the node has a copy to fall back on."""


@dataclass(frozen=True, slots=True)
class PinnedImage:
    """`detail` says for a person where the content came from; `pulled`: it was not on this node before."""

    reference: str
    image_id: str
    digest: str | None
    detail: str
    pulled: bool


async def pin_image(
    engine: Engine, reference: str, before_pull: Callable[[str], Awaitable[None]]
) -> PinnedImage:
    """Pulls `reference`; falls back on the node's copy only when the registry cannot be reached.

    `before_pull` is told the id of that copy, empty when there is none.

    A registry that refuses is final: the copy on this node may be another customer's private image. Raises ImageUnavailable.
    """
    name = with_tag(reference)
    held = await engine.image(name)
    if name.startswith(LOCAL):
        if held is None:
            raise ImageUnavailable(
                f"The image {reference} is not on this node, and images under {LOCAL} are never pulled."
            )
        return _held(reference, held, "local image")
    await before_pull("" if held is None else held.image_id)
    try:
        await engine.pull(name, PULL_DEADLINE_S if held is None else REFRESH_DEADLINE_S)
    except EngineRefused as refusal:
        raise ImageUnavailable(f"The registry refused the image {reference}: {refusal}") from refusal
    except EngineUnavailable as error:
        await engine.ping()
        if held is None:
            raise ImageUnavailable(f"The image {reference} cannot be pulled: {error}") from error
        return _held(reference, held, f"local copy, because the registry cannot be reached: {error}")
    pulled = await engine.image(name)
    if pulled is None:
        raise ImageUnavailable(f"The image {reference} was pulled and is gone again.")
    if held is not None and held.image_id == pulled.image_id:
        return _held(reference, pulled, "up to date")
    return PinnedImage(reference, pulled.image_id, pulled.digest, "pulled", pulled=True)


def with_tag(reference: str) -> str:
    """With `:latest` when there is neither tag nor digest; so a name is never read as the prefix of an image id."""
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def _held(reference: str, image: ImageSeen, detail: str) -> PinnedImage:
    return PinnedImage(reference, image.image_id, image.digest, detail, pulled=False)
