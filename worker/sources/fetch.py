"""From a source to a folder with its files, which is gone afterwards."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.deploys.request import ArchiveSource, GitSource
from worker.sources.archive import ArchiveFetcher
from worker.sources.git import GitFetcher
from worker.sources.process import end_left_over


@dataclass(frozen=True, slots=True)
class Checkout:
    """`revision` is the commit, or the SHA-256 of the archive."""

    folder: Path
    revision: str


class Fetcher:
    """`folder` is the worker's own; what a crash left in it goes with the next fetch of the same deploy, and at start."""

    def __init__(self, folder: Path, *, allow_local: bool) -> None:
        # The tools have working folders of their own, where a relative path would lead elsewhere.
        folder = folder.absolute()
        self._work = folder / "work"
        self._git = GitFetcher(folder / "known_hosts", allow_local=allow_local)
        self._archives = ArchiveFetcher(allow_local=allow_local)

    def clear(self) -> None:
        """At start: what a crash left, processes and files. Blocking."""
        end_left_over(self._work)
        shutil.rmtree(self._work, ignore_errors=True)

    def forget(self, project_id: str) -> None:
        """Blocking."""
        self._git.forget(project_id)

    @asynccontextmanager
    async def fetched(
        self, project_id: str, deploy_id: str, source: GitSource | ArchiveSource
    ) -> AsyncIterator[Checkout]:
        """Raises SourceFailed."""
        room = self._work / deploy_id
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
        await asyncio.to_thread(room.mkdir, mode=0o700, parents=True)
        try:
            folder = room / "files"
            if isinstance(source, GitSource):
                wanted = source.commit or source.ref
                commit = await self._git.fetch(source.url, wanted, source.key, project_id, folder)
                yield Checkout(folder, commit)
            else:
                root = await self._archives.fetch(source.url, source.sha256, folder)
                yield Checkout(root, source.sha256)
        finally:
            await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
