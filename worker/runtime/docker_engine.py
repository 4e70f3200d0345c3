"""The Docker Engine behind the `Engine` protocol, through aiodocker.

Facts (aiodocker 0.27): its own event channel dies silently with the connection, its calls have no deadline by default, and an
unreachable engine is `DockerError` 900. So events are read here, and every call is wrapped.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from ipaddress import IPv4Network
from urllib.parse import quote

import aiodocker
import structlog

from worker.errors import ContainerGone, EngineUnavailable
from worker.runtime.build_output import BuildOutput, build_parameters
from worker.runtime.engine import (
    BuildFailed,
    BuildMessage,
    BuildOrder,
    ContainerListed,
    ContainerSeen,
    ContainerSpec,
    EngineEvent,
    EngineRefused,
    ImageListed,
    ImageSeen,
    NetworkSeen,
)
from worker.runtime.engine_answers import (
    container_listed,
    container_seen,
    engine_event,
    image_listed,
    image_seen,
    label_filter,
    network_seen,
)
from worker.runtime.engine_api import CALL_DEADLINE_S, CREATE_DEADLINE_S, EngineApi
from worker.runtime.engine_failures import in_time, or_none
from worker.runtime.engine_moments import (
    AGAIN_S,
    NETWORK_AGAIN_S,
    REMOVE_AGAIN_S,
    endpoints_pass,
    ends_soon,
    is_going,
    is_gone,
    is_killed,
    name_passes,
    removal_passes,
    until_it_passes,
    volume_passes,
)
from worker.runtime.profile import KEEP_RUNNING, NO_RESTART, RESTART_FAILED, container_config

UNDO_DEADLINE_S = 5.0

_LINE_BYTES = 2048
_REGISTRY_SAYS_NO = ("denied", "unauthorized", "manifest unknown", "not found", "no matching manifest")

log = structlog.get_logger("engine")


class DockerEngine:
    """Must be made on the running loop. `address` is a `DOCKER_HOST`: `unix://...` or `tcp://...`."""

    def __init__(self, address: str) -> None:
        self._docker = aiodocker.Docker(url=address)
        self._api = EngineApi(self._docker)

    async def close(self) -> None:
        await self._docker.close()

    async def ping(self) -> None:
        async with in_time(CALL_DEADLINE_S):
            await self._docker.version()

    async def image(self, reference: str) -> ImageSeen | None:
        async with in_time(CALL_DEADLINE_S):
            found = await or_none(self._docker.images.inspect(reference))
        return None if found is None else image_seen(found)

    async def pull(self, reference: str, deadline_s: float) -> None:
        try:
            async with in_time(deadline_s):
                async for _progress in self._docker.images.pull(reference, stream=True):
                    pass
        except EngineRefused as refusal:
            if refusal.status == 404 or any(word in str(refusal).lower() for word in _REGISTRY_SAYS_NO):
                raise
            # "No such host", "connection refused", time-outs: the engine is there, the registry is not.
            raise EngineUnavailable(str(refusal)) from refusal

    async def create(self, spec: ContainerSpec) -> str:
        """Interrupted, it leaves nothing: the engine makes the container all the same, and who interrupts would look for it too early."""
        creating = asyncio.create_task(self._create(spec), name=f"create {spec.name}")
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            await self._undo(creating)
            raise

    async def _create(self, spec: ContainerSpec) -> str:
        async def create() -> str:
            async with in_time(CREATE_DEADLINE_S):
                container = await self._docker.containers.create(container_config(spec), name=spec.name)
            return str(container.id)

        return await until_it_passes(create, name_passes)

    async def _undo(self, creating: asyncio.Task[str]) -> None:
        """Failure policy: what an engine does not make or remove in time is found by the next look for orphans."""
        try:
            async with asyncio.timeout(UNDO_DEADLINE_S):
                await self.remove(await creating)
        except (TimeoutError, EngineRefused, EngineUnavailable, aiodocker.DockerError) as error:
            log.warning("creation_not_undone", reason=str(error))

    async def start(self, container_id: str) -> None:
        try:
            async with in_time(CREATE_DEADLINE_S):
                await self._docker.containers.container(container_id).start()
        except EngineRefused as refusal:
            # Of a 404 the container need not be the reason: a network of it may be missing.
            if is_going(refusal) or (is_gone(refusal) and await self.inspect(container_id) is None):
                raise ContainerGone(str(refusal)) from refusal
            raise

    async def stop(self, container_id: str, grace_s: int) -> None:
        async with in_time(grace_s + CALL_DEADLINE_S):
            await or_none(self._docker.containers.container(container_id).stop(t=grace_s))

    async def remove(self, container_id: str) -> None:
        everything = {"force": "1", "v": "1"}
        await self._api.remove(f"containers/{container_id}", removal_passes, REMOVE_AGAIN_S, everything)

    async def keep_running(self, container_id: str, *, on: bool, only_failed: bool = False) -> None:
        wanted = (RESTART_FAILED if only_failed else KEEP_RUNNING) if on else NO_RESTART
        try:
            await self._api.update(container_id, {"RestartPolicy": wanted})
        except EngineRefused as refusal:
            if not is_gone(refusal) and not is_going(refusal):
                raise

    async def inspect(self, container_id: str) -> ContainerSeen | None:
        async with in_time(CALL_DEADLINE_S):
            found = await or_none(self._docker.containers.container(container_id).show())
        return None if found is None else container_seen(found)

    async def containers(self, labels: Mapping[str, str]) -> list[ContainerListed]:
        async with in_time(CALL_DEADLINE_S):
            found = await self._docker.containers.list(all=True, filters=label_filter(labels))
        return [
            container_listed(container.id, container["State"], container["Labels"]) for container in found
        ]

    async def id_starting_with(self, prefix: str) -> str | None:
        seen = await self.inspect(prefix)
        return None if seen is None else seen.container_id

    async def log_tail(self, container_id: str, lines: int) -> list[str]:
        try:
            async with in_time(CALL_DEADLINE_S):
                frames = await self._docker.containers.container(container_id).log(
                    stdout=True, stderr=True, tail=lines
                )
        except EngineRefused as refusal:
            if is_gone(refusal) or is_going(refusal):
                return []
            raise
        text = "".join(frames).removesuffix("\n")
        return [line[:_LINE_BYTES] for line in text.split("\n")][-lines:] if text else []

    async def networks(self) -> list[NetworkSeen]:
        async with in_time(CALL_DEADLINE_S):
            found = await self._docker.networks.list()
        return [network_seen(network) for network in found]

    async def create_network(
        self,
        name: str,
        subnet: IPv4Network,
        labels: Mapping[str, str],
        *,
        bridge: str,
        internal: bool = False,
    ) -> str:
        config = {
            "Name": name,
            "Driver": "bridge",
            "Internal": internal,
            "CheckDuplicate": True,
            "Labels": dict(labels),
            "Options": {"com.docker.network.bridge.name": bridge},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet)}]},
        }
        async with in_time(CREATE_DEADLINE_S):
            network = await self._docker.networks.create(config)
        return str(network.id)

    async def connect(self, network_id: str, container_id: str, aliases: Sequence[str] = ()) -> None:
        body = {"Container": container_id, "EndpointConfig": {"Aliases": list(aliases)}}
        try:
            await self._api.call("POST", f"networks/{network_id}/connect", body=body)
        except EngineRefused as refusal:
            if "already exists in network" not in str(refusal):
                raise

    async def disconnect(self, network_id: str, container_id: str) -> None:
        try:
            await self._api.call(
                "POST", f"networks/{network_id}/disconnect", body={"Container": container_id, "Force": True}
            )
        except EngineRefused as refusal:
            if "is not connected" not in str(refusal):
                raise

    async def remove_network(self, network_id: str) -> None:
        await self._api.remove(f"networks/{network_id}", endpoints_pass, NETWORK_AGAIN_S)

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        await self._api.call("POST", "volumes/create", body={"Name": name, "Labels": dict(labels)})

    async def remove_volumes(self, labels: Mapping[str, str]) -> int:
        listed = await self._api.call("GET", "volumes", params={"filters": label_filter(labels)})
        volumes = listed["Volumes"] or []
        for volume in volumes:
            await self._api.remove(f"volumes/{volume['Name']}", volume_passes, AGAIN_S)
        return len(volumes)

    async def build(
        self, context: AsyncIterator[bytes], order: BuildOrder
    ) -> AsyncGenerator[BuildMessage, None]:
        # aiodocker's build has neither limits nor a network.
        query = self._api.stream(
            "build",
            "POST",
            params=build_parameters(order),
            data=context,
            headers={"Content-Type": "application/x-tar"},
        )
        output = BuildOutput()
        step: str | None = None
        async with in_time(None), query as response:
            try:
                async for octets in response.content.iter_any():
                    for message in output.feed(octets):
                        if message.container is not None:
                            step = message.container
                            await self._limit_processes(step, order.pids)
                        yield message
                step = None
            except BuildFailed as failure:
                step = None
                if is_killed(failure):
                    await ends_soon(self.ping)
                raise
            finally:
                response.close()
                if step is not None:
                    # The builder would get to it by and by; until then it holds on to its network.
                    await self.remove(step)

    async def _limit_processes(self, container_id: str, pids: int) -> None:
        """The builder cannot be told, and starts the container at about the same time."""
        try:
            await self._api.update(container_id, {"PidsLimit": pids})
        except EngineRefused:
            # The builder removes it when it has ended; one that goes on without a limit ends the build.
            seen = await self.inspect(container_id)
            if seen is not None and seen.running:
                raise

    async def images(self, labels: Mapping[str, str]) -> list[ImageListed]:
        found = await self._api.call("GET", "images/json", params={"filters": label_filter(labels)})
        return [image_listed(image) for image in found]

    async def layers(self) -> list[ImageListed]:
        found = await self._api.call("GET", "images/json", params={"all": "1"})
        return [listed for listed in map(image_listed, found) if not listed.tags]

    async def remove_image(self, reference: str) -> bool:
        try:
            # Without its untagged parents: each is removed by itself, when nobody needs it.
            await self._api.call("DELETE", f"images/{quote(reference, safe='')}", params={"noprune": "1"})
        except EngineRefused as refusal:
            return refusal.status == 404
        return True

    async def events(self, labels: Mapping[str, str]) -> AsyncGenerator[EngineEvent | None, None]:
        filters = json.dumps({"type": ["container"], "label": [f"{k}={v}" for k, v in labels.items()]})
        # aiodocker's own subscription never comes back after a lost connection.
        query = self._api.stream("events", params={"filters": filters})
        async with in_time(CALL_DEADLINE_S) as limit, query as response:
            limit.reschedule(None)
            try:
                yield None
                async for line in response.content:
                    yield engine_event(json.loads(line))
            finally:
                response.close()
