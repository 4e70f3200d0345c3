"""Starts the services of a release, each after what it depends on, and waits until they are healthy."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from worker.deploys.health import REMOVED, Gate, Healthy, Probes, Removed, Unhealthy, has_completed
from worker.deploys.request import Condition, DeployRequest, HealthCheck, Service
from worker.errors import ContainerGone
from worker.runtime.engine import ContainerSeen, Engine

START_S = 60.0
CHECK_SLACK_S = 30.0
STABLE_AFTER_S = 10.0
"""How long a new release without a health path must have been up: that it accepts connections proves little."""

Watch = Callable[[ContainerSeen], None]
"""Sees a container on every turn, and raises when waiting on is pointless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How to wait for the services of a release. `most_s` cuts their own deadlines short."""

    network: str
    host: str
    watch: Watch
    fresh: bool
    most_s: float | None = None

    def gate(self, request: DeployRequest, service: Service) -> Gate:
        check = service.healthcheck
        if self.most_s is not None:
            check = _cut(check, self.most_s)
        is_web = service.name == request.web
        return Gate(
            network=self.network,
            # What is not for visitors need not speak TCP at all.
            port=service.port if is_web or check.path is not None else None,
            host=self.host,
            check=check,
            least_uptime_s=STABLE_AFTER_S if self.fresh and is_web and check.path is None else 0.0,
            watch=self.watch,
            may_end=service.may_end,
        )


class Startup:
    def __init__(self, engine: Engine, probes: Probes) -> None:
        self._engine = engine
        self._probes = probes

    async def start(
        self,
        request: DeployRequest,
        containers: Mapping[str, str],
        wait: Wait,
        before_start: Callable[[Service, str], Awaitable[None]],
    ) -> None:
        """What runs, and tasks that are done, are left alone. Raises Unhealthy, and what `wait.watch` raises."""
        for service in request.services:
            container = await self._engine.inspect(containers[service.name])
            if container is not None and (container.running or is_done(service, container)):
                continue
            for dependency in service.depends_on:
                await self._until(request, containers, wait, dependency.service, dependency.condition)
            await before_start(service, containers[service.name])
            with _named(request, service):
                try:
                    await self._engine.start(containers[service.name])
                except ContainerGone as error:
                    raise Removed(REMOVED) from error

    async def until_healthy(
        self, request: DeployRequest, containers: Mapping[str, str], wait: Wait
    ) -> dict[str, Healthy]:
        """Every service, healthy; one that may end, running or done. Raises Unhealthy, and what `wait.watch` raises."""
        healthy: dict[str, Healthy] = {}
        # What visitors ask for comes last, because it shows whether the rest works; then the rest must still be there.
        for service in sorted(request.services, key=lambda service: service.name == request.web):
            with _named(request, service):
                gate = wait.gate(request, service)
                healthy[service.name] = await self._probes.until_healthy(containers[service.name], gate)
        for service in request.services:
            with _named(request, service):
                container = await self._engine.inspect(containers[service.name])
                if container is not None and not is_done(service, container):
                    wait.watch(container)
        return healthy

    async def _until(
        self,
        request: DeployRequest,
        containers: Mapping[str, str],
        wait: Wait,
        name: str,
        condition: Condition,
    ) -> None:
        service = request.service(name)
        with _named(request, service):
            if condition is Condition.COMPLETED:
                deadline_s = wait.gate(request, service).check.deadline_s
                await self._probes.until_completed(containers[name], deadline_s)
            elif condition is Condition.HEALTHY:
                await self._probes.until_healthy(containers[name], wait.gate(request, service))


def is_done(service: Service, container: ContainerSeen) -> bool:
    return service.may_end and has_completed(container)


def start_deadline_s(request: DeployRequest) -> float:
    """Every service may wait for those that it depends on."""
    waited_for = {
        dependency.service
        for service in request.services
        for dependency in service.depends_on
        if dependency.condition is not Condition.STARTED
    }
    return START_S + sum(request.service(name).healthcheck.deadline_s for name in waited_for)


def check_deadline_s(request: DeployRequest) -> float:
    return CHECK_SLACK_S + sum(service.healthcheck.deadline_s for service in request.services)


def _cut(check: HealthCheck, most_s: float) -> HealthCheck:
    return replace(check, timeout_s=min(check.timeout_s, most_s), deadline_s=min(check.deadline_s, most_s))


@contextmanager
def _named(request: DeployRequest, service: Service) -> Iterator[None]:
    """Among several services, says which one."""
    try:
        yield
    except Unhealthy as error:
        if len(request.services) == 1:
            raise
        raise type(error)(f"{service.name}: {error}", error.attempts) from error
