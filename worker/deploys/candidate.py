"""The steps of a deploy that can be undone: from names or sources of images to healthy containers that nobody can reach yet.

Each step takes what the step before returned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.clock import Clock
from worker.deploys.generation import Created, Generations
from worker.deploys.health import Healthy, Unhealthy
from worker.deploys.model import Deploy, HealthAttempt, Release, ReleaseImage, ReleaseMissing, ReleaseUnknown
from worker.deploys.pins import Pins
from worker.deploys.records import Records
from worker.deploys.request import Service
from worker.deploys.startup import Startup, Wait
from worker.projects.environment import EnvironmentUnreadable
from worker.projects.model import Project
from worker.runtime.engine import ContainerSeen, EngineRefused, ImageUnavailable
from worker.runtime.images import PinnedImage
from worker.runtime.networks import NetworkPoolExhausted
from worker.services.links import LinkedEnvironment
from worker.sources.build import Sources
from worker.sources.errors import SourceFailed

LOG_LINES = 20
MOST_LOG_LINES = 100

UNDEPLOYABLE = (
    ImageUnavailable,
    EngineRefused,
    NetworkPoolExhausted,
    EnvironmentUnreadable,
    ReleaseMissing,
    ReleaseUnknown,
    SourceFailed,
    Unhealthy,
)
"""What ends a deploy with the error's own sentence as the reason."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """`release` is complete, but recorded only when it is chosen."""

    release: Release
    detail: str


@dataclass(frozen=True, slots=True)
class Started:
    created: Created
    release: Release
    wait: Wait


@dataclass(frozen=True, slots=True)
class CandidateTrace:
    """What a failed candidate leaves behind for its owner."""

    log_tail: tuple[str, ...]
    attempts: tuple[HealthAttempt, ...]


class Candidates:
    def __init__(
        self,
        generations: Generations,
        records: Records,
        pins: Pins,
        environment: LinkedEnvironment,
        startup: Startup,
        sources: Sources,
        clock: Clock,
    ) -> None:
        self._generations = generations
        self._records = records
        self._pins = pins
        self._environment = environment
        self._startup = startup
        self._sources = sources
        self._clock = clock

    async def prepare(self, project: Project, deploy: Deploy) -> Prepared:
        if deploy.request.release is not None:
            return await self._again(project, deploy, deploy.request.release)
        if deploy.request.source is not None:
            built = await self._sources.build(project, deploy, deploy.request.source)
            images = {service.name: ReleaseImage(built.image_id, None) for service in deploy.request.services}
            return await self._prepared(project, deploy, images, built.revision, built.detail)
        images = {}
        details = {}
        for service in deploy.request.services:
            image = await self._pin(deploy, service.image or "")
            images[service.name] = ReleaseImage(image.image_id, image.digest)
            details[image.reference] = f"{image.reference}: {image.detail}, {image.digest or image.image_id}"
        return await self._prepared(project, deploy, images, "", "; ".join(details.values()))

    async def create(self, project: Project, prepared: Prepared) -> Created:
        return await self._generations.create(project, prepared.release)

    async def start(self, created: Created, prepared: Prepared, host: str) -> Started:
        wait = Wait(network=created.network, host=host, watch=_must_run, fresh=True)
        await self._startup.start(prepared.release.request, created.containers, wait, _as_it_is)
        return Started(created, prepared.release, wait)

    async def check(self, started: Started) -> dict[str, Healthy]:
        return await self._startup.until_healthy(
            started.release.request, started.created.containers, started.wait
        )

    async def undo(self, deploy: Deploy, error: BaseException | None) -> CandidateTrace:
        """Removes whatever the deploy made, after reading its last words."""
        lines: list[str] = list(error.lines) if isinstance(error, SourceFailed) else []
        several = len(deploy.request.services) > 1
        for service, said in await self._generations.last_words(
            deploy.project_id, deploy.deploy_id, LOG_LINES
        ):
            lines += [f"{service} | {line}" if several else line for line in said]
        await self._generations.remove_release(deploy.project_id, deploy.deploy_id)
        attempts = error.attempts if isinstance(error, Unhealthy) else ()
        return CandidateTrace(tuple(lines[-MOST_LOG_LINES:]), attempts)

    async def _pin(self, deploy: Deploy, reference: str) -> PinnedImage:
        image = await self._pins.pin(reference, deploy.deploy_id)
        if image.pulled:
            message = f"{reference}: {image.digest or image.image_id}"
            await self._records.events.record(deploy.project_id, "image_pulled", "", message)
        return image

    async def _again(self, project: Project, deploy: Deploy, release_id: str) -> Prepared:
        again = await self._records.releases.of_project(project.project_id, release_id)
        for service, image in again.images.items():
            if not await self._pins.is_here(image.image_id):
                raise ImageUnavailable(
                    f"The image of {service} in the release {release_id} is no longer on this node."
                )
        prepared = await self._prepared(
            project, deploy, again.images, again.revision, f"images of release {release_id}"
        )
        if deploy.request.fresh_environment:
            return prepared
        return replace(prepared, release=replace(prepared.release, environment=again.environment))

    async def _prepared(
        self,
        project: Project,
        deploy: Deploy,
        images: Mapping[str, ReleaseImage],
        revision: str,
        detail: str,
    ) -> Prepared:
        release = Release(
            release_id=deploy.deploy_id,
            project_id=project.project_id,
            request=deploy.request,
            images=images,
            revision=revision,
            environment=await self._environment.of(project.project_id),
            created_at=self._clock.now(),
        )
        return Prepared(release, detail)


def _must_run(container: ContainerSeen) -> None:
    if container.oom_killed:
        raise Unhealthy("the container ran out of memory and was killed")
    if not container.running:
        raise Unhealthy(f"the container ended with exit code {container.exit_code}")


async def _as_it_is(_service: Service, _container_id: str) -> None:
    """A new container is started as it was made."""
