"""The parts that only look: logs, numbers and traffic."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from shared.clock import Clock
from worker import VERSION
from worker.config import Config
from worker.logs.project_logs import ProjectLogs
from worker.mesh.traffic import Traffic
from worker.platform import Installation, Resources
from worker.projects.store import ProjectStore
from worker.stats.host_stats import HostStats
from worker.stats.project_stats import ProjectStats
from worker.streams.engine import DockerSource
from worker.streams.sse import OpenStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    logs: ProjectLogs
    stats: ProjectStats
    host: HostStats
    traffic: Traffic
    streams: OpenStreams

    def forget(self, project_id: str) -> None:
        """The project was deleted: its readers are told, its numbers go."""
        self.logs.end(project_id)
        self.stats.end(project_id)
        self.traffic.forget(project_id)


@asynccontextmanager
async def observing(
    installed: Installation, config: Config, resources: Resources, clock: Clock
) -> AsyncIterator[Observation]:
    projects = ProjectStore(resources.database)
    traffic = Traffic()
    async with AsyncExitStack() as stack:
        source = DockerSource(config.docker_host, installed.instance)
        stack.push_async_callback(source.close)
        logs = ProjectLogs(source)
        stack.push_async_callback(logs.close)
        stats = ProjectStats(source, traffic, clock)
        stack.push_async_callback(stats.close)
        host = HostStats(config.data_dir, source, projects.count, VERSION, clock)
        stack.push_async_callback(host.close)
        yield Observation(logs=logs, stats=stats, host=host, traffic=traffic, streams=OpenStreams())
