"""The steps of a deploy that can be undone: from an image name to a healthy container that nobody can reach yet.

Each step takes what the step before returned.
"""

from dataclasses import dataclass

from shared.clock import Clock
from worker.deploys.generation import Created, Generations, least_uptime
from worker.deploys.health import Gate, Healthy, Probes, Unhealthy
from worker.deploys.model import WEB, Deploy, HealthAttempt, Release, ReleaseMissing
from worker.deploys.records import Records
from worker.projects.environment import EnvironmentUnreadable
from worker.projects.model import Project
from worker.runtime import labels
from worker.runtime.engine import ContainerSeen, Engine, EngineRefused, ImageUnavailable
from worker.runtime.images import PinnedImage, pin_image
from worker.runtime.networks import NetworkPoolExhausted
from worker.services.links import LinkedEnvironment

LOG_LINES = 20

UNDEPLOYABLE = (
    ImageUnavailable,
    EngineRefused,
    NetworkPoolExhausted,
    EnvironmentUnreadable,
    ReleaseMissing,
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


@dataclass(frozen=True, slots=True)
class CandidateTrace:
    """What a failed candidate leaves behind for its owner."""

    log_tail: tuple[str, ...]
    attempts: tuple[HealthAttempt, ...]


class Candidates:
    def __init__(
        self,
        engine: Engine,
        generations: Generations,
        records: Records,
        environment: LinkedEnvironment,
        probes: Probes,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._generations = generations
        self._records = records
        self._environment = environment
        self._probes = probes
        self._clock = clock

    async def check_engine(self) -> None:
        """Raises EngineUnavailable."""
        await self._engine.ping()

    async def prepare(self, project: Project, deploy: Deploy) -> Prepared:
        image = await self._image(deploy)
        release = Release(
            release_id=deploy.deploy_id,
            project_id=project.project_id,
            request=deploy.request,
            image_id=image.image_id,
            digest=image.digest,
            environment=await self._environment.of(project.project_id),
            created_at=self._clock.now(),
        )
        detail = f"{image.reference}: {image.detail}, {image.digest or image.image_id}"
        if image.pulled:
            await self._records.events.record(project.project_id, "image_pulled", WEB, detail)
        return Prepared(release, detail)

    async def create(self, project: Project, prepared: Prepared) -> Created:
        return await self._generations.create(project, prepared.release)

    async def start(self, created: Created, prepared: Prepared) -> Started:
        await self._engine.start(created.container_id)
        return Started(created, prepared.release)

    async def check(self, started: Started, host: str) -> Healthy:
        request = started.release.request
        gate = Gate(
            network=started.created.network,
            port=request.port,
            host=host,
            check=request.healthcheck,
            least_uptime_s=least_uptime(request.healthcheck),
            watch=_must_run,
        )
        return await self._probes.until_healthy(started.created.container_id, gate)

    async def undo(self, deploy: Deploy, error: BaseException | None) -> CandidateTrace:
        """Removes whatever the deploy made, after reading its last words."""
        lines: list[str] = []
        for container in await self._generations.of_project(deploy.project_id):
            if container.labels.get(labels.RELEASE) == deploy.deploy_id:
                lines += await self._engine.log_tail(container.container_id, LOG_LINES)
        await self._generations.remove_release(deploy.project_id, deploy.deploy_id)
        attempts = error.attempts if isinstance(error, Unhealthy) else ()
        return CandidateTrace(tuple(lines[-LOG_LINES:]), attempts)

    async def _image(self, deploy: Deploy) -> PinnedImage:
        request = deploy.request
        if request.release is None:
            return await pin_image(self._engine, request.image)
        again = await self._records.releases.get(request.release)
        if await self._engine.image(again.image_id) is None:
            raise ImageUnavailable(f"The image of the release {request.release} is no longer on this node.")
        return PinnedImage(
            request.image, again.image_id, again.digest, f"image of release {request.release}", pulled=False
        )


def _must_run(container: ContainerSeen) -> None:
    if container.oom_killed:
        raise Unhealthy("the container ran out of memory and was killed")
    if not container.running:
        raise Unhealthy(f"the container ended with exit code {container.exit_code}")
