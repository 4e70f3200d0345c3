"""From a source to an image: fetched, packed, built by the engine, with what the build says told as it goes."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from shared.clock import Clock
from shared.image_names import BUILT
from worker.deploys.model import Deploy
from worker.deploys.pins import Pins
from worker.deploys.records import Records
from worker.deploys.request import ArchiveSource, GitSource
from worker.projects.model import Project
from worker.runtime import labels
from worker.runtime.engine import BuildFailed, BuildMessage, BuildOrder, Engine
from worker.runtime.networks import OrgNetworks
from worker.sources.bases import BaseImages
from worker.sources.build_log import BuildLog
from worker.sources.context import packed, read_dockerfile
from worker.sources.errors import SourceFailed
from worker.sources.fetch import Fetcher

SOURCE_DEADLINE_S = 1800.0
"""For fetching and building together."""
BUILDS_AT_ONCE = 2
BUILD_MEMORY_MB = 2048
BUILD_CPU = 2.0
BUILD_PIDS = 1024


@dataclass(frozen=True, slots=True)
class Built:
    """`detail` says for a person what was built."""

    image_id: str
    revision: str
    detail: str


class Sources:
    def __init__(
        self,
        engine: Engine,
        fetcher: Fetcher,
        networks: OrgNetworks,
        records: Records,
        pins: Pins,
        instance: str,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._networks = networks
        self._records = records
        self._bases = BaseImages(pins)
        self._instance = instance
        self._clock = clock
        self._turns = asyncio.Semaphore(BUILDS_AT_ONCE)

    async def build(self, project: Project, deploy: Deploy, source: GitSource | ArchiveSource) -> Built:
        """Raises SourceFailed. The image carries our labels; its layers are recorded as they are made."""
        log = BuildLog(self._records, deploy, self._clock)
        async with (
            self._turns,
            self._fetcher.fetched(project.project_id, deploy.deploy_id, source) as checkout,
        ):
            await log.say(f"fetched {checkout.revision}")
            references = await asyncio.to_thread(read_dockerfile, checkout.folder, source.dockerfile)
            bases = await self._bases.checked(references.bases, deploy.deploy_id)
            order = await self._order(project, deploy, source.dockerfile)
            try:
                image_id = await self._build(checkout.folder, order, deploy, bases, log)
            except BuildFailed as failure:
                await log.say(str(failure))
                raise SourceFailed(f"The build failed: {failure}", log.last()) from failure
            finally:
                await log.flush()
        return Built(image_id, checkout.revision, f"built from {checkout.revision}: {image_id}")

    async def _order(self, project: Project, deploy: Deploy, dockerfile: str) -> BuildOrder:
        releases = await self._records.releases.newest(project.project_id)
        return BuildOrder(
            dockerfile=dockerfile,
            tag=f"{BUILT}{self._instance[2:10]}/{project.project_id}:{deploy.deploy_id}",
            labels={
                labels.INSTANCE: self._instance,
                labels.PROJECT: project.project_id,
                labels.ORG: project.org_id,
                labels.RELEASE: deploy.deploy_id,
            },
            # Where the app itself will be, with the same neighbours.
            network=await self._networks.ensure(project.org_id),
            memory_mb=BUILD_MEMORY_MB,
            cpu=BUILD_CPU,
            pids=BUILD_PIDS,
            # A step that somebody else ran may hold what only they could reach, or what they made of it for others.
            cache=tuple(image.image_id for release in releases for image in release.images.values()),
        )

    async def _build(
        self, folder: Path, order: BuildOrder, deploy: Deploy, bases: Mapping[str, str], log: BuildLog
    ) -> str:
        image_id = ""
        async with aclosing(self._engine.build(packed(folder, order.dockerfile), order)) as messages:
            async for message in messages:
                if message.triggers:
                    await self._bases.check_again(bases, deploy.deploy_id)
                await log.say(message.text)
                await self._record(deploy, message)
                image_id = message.image_id or image_id
        if not image_id:
            raise SourceFailed("The build ended without an image.", log.last())
        return image_id

    async def _record(self, deploy: Deploy, message: BuildMessage) -> None:
        reference = message.pulled or message.layer
        if reference is None:
            return
        image = await self._engine.image(reference)
        if image is None:
            return
        if message.base:
            await self._records.images.used(image.image_id, deploy.deploy_id)
        else:
            await self._records.images.fetched(image.image_id, message.pulled or "", deploy.deploy_id)
