"""The listing of one folder of a running release."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from worker.deploys.generation import Generations
from worker.deploys.model import ReleaseMissing
from worker.deploys.records import Records
from worker.errors import ContainerGone
from worker.files.path import joined
from worker.files.tar_listing import FileEntry, TarListing
from worker.projects.model import Project
from worker.runtime import labels
from worker.runtime.container_files import ContainerFiles

MOST_ENTRIES = 1000
MOST_BYTES = 1024 * 1024 * 1024
DEADLINE_S = 20.0
AT_ONCE = 2


class PathMissing(Exception):
    """There is no such path in this container."""


class NotAFolder(Exception):
    """The path is something else than a folder."""


class LinkRefused(Exception):
    """A name of the path is a symbolic link. Links are shown, and never followed."""


@dataclass(frozen=True, slots=True)
class Listing:
    """`truncated`: there is more than could be read within the bounds."""

    entries: tuple[FileEntry, ...]
    truncated: bool


class ReleaseFiles:
    """The engine sends a folder with all that is below it, hence the bounds on bytes and time, and on listings at once.

    Between the look at a path and its listing the app may put a link in its place. The engine then follows it, inside the
    container's own root: the app shows what it could as well have copied there.
    """

    def __init__(self, records: Records, generations: Generations, files: ContainerFiles) -> None:
        self._releases = records.releases
        self._generations = generations
        self._files = files
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def list(self, project: Project, service: str | None, names: tuple[str, ...]) -> Listing:
        """Raises ReleaseMissing, ContainerGone, PathMissing, NotAFolder, LinkRefused, EngineUnavailable."""
        container_id = await self._container(project, service)
        for depth in range(1, len(names) + 1):
            await self._check(container_id, joined(names[:depth]))
        async with self._turns:
            return await self._read(container_id, joined(names))

    async def _container(self, project: Project, service: str | None) -> str:
        if project.release_id is None:
            raise ReleaseMissing(
                f"The project {project.project_id} has no release yet: deploy something first."
            )
        wanted = service or (await self._releases.get(project.release_id)).request.web
        for container in await self._generations.of_project(project.project_id):
            marks = container.labels
            if (marks.get(labels.RELEASE), marks.get(labels.SERVICE)) == (project.release_id, wanted):
                return container.container_id
        raise ContainerGone(f"The release has no container of a service {wanted}.")

    async def _check(self, container_id: str, path: str) -> None:
        seen = await self._files.seen(container_id, path)
        if seen is None:
            raise PathMissing(f"There is no {path}.")
        if seen.is_link:
            raise LinkRefused(f"{path} is a symbolic link, and links are not followed.")
        if not seen.is_dir:
            raise NotAFolder(f"{path} is not a folder.")

    async def _read(self, container_id: str, path: str) -> Listing:
        listing = TarListing()
        entries: list[FileEntry] = []
        received = 0
        try:
            async with asyncio.timeout(DEADLINE_S), aclosing(self._files.tar(container_id, path)) as pieces:
                async for octets in pieces:
                    entries += listing.feed(octets)
                    received += len(octets)
                    if len(entries) > MOST_ENTRIES or received > MOST_BYTES:
                        return _bounded(entries, truncated=True)
        except TimeoutError:
            return _bounded(entries, truncated=True)
        return _bounded(entries, truncated=False)


def _bounded(entries: list[FileEntry], *, truncated: bool) -> Listing:
    shown = sorted(entries[:MOST_ENTRIES], key=lambda entry: entry.name)
    return Listing(tuple(shown), truncated)
