"""Which node serves which host, in Redis: `service:{host}` is a hash of `worker_ip`, `port`, `org_id` and what admission needs.

Rules:
- An entry lives for thirty seconds unless its node says it again, so a dead node's hosts are gone by themselves.
- A host that another organisation's project holds on a live node is not taken over; the other node's entry stays.
- A stopped project is registered too, so that every node answers for it alike (503); but it never hides one that runs elsewhere,
  which is how a project moves from node to node.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from worker import VERSION
from worker.mesh.table import Visibility

LIFE_S = 30.0
DEADLINE_S = 0.25
WRITE_DEADLINE_S = 2.0

_HOP_KEY = "mesh:hop_key"

_CLAIM = """
local org, node, running = unpack(redis.call('HMGET', KEYS[1], 'org_id', 'node', 'running'))
if org and node ~= ARGV[2] and (org ~= ARGV[1] or (ARGV[3] == '0' and running ~= '0')) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
_RELEASE = (
    "if redis.call('HGET', KEYS[1], 'node') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


class RegistryUnavailable(Exception):
    """Redis does not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`node` tells workers apart. `port` is of the mesh of that worker, never of an app."""

    worker_ip: str
    port: int
    org_id: str
    node: str = ""
    project_id: str = ""
    visibility: Visibility = Visibility.PRIVATE
    allowed_orgs: frozenset[str] = frozenset()
    running: bool = True


class Registry(Protocol):
    """Every method has a deadline, and raises RegistryUnavailable."""

    async def find(self, host: str) -> Entry | None: ...

    async def claim(self, entries: Mapping[str, Entry]) -> list[str]:
        """Says (again) that these hosts are served here; those that somebody else holds."""

    async def release(self, hosts: Collection[str], node: str) -> None:
        """Takes back what `node` said, and nothing else."""

    async def hop_key(self) -> bytes:
        """The secret that all nodes of this registry share; made by whoever asks first."""


class RedisRegistry:
    """`url` may hold a password, which is never shown."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=DEADLINE_S,
            # Otherwise the client looks for its own version in the file system at every connection.
            driver_info=DriverInfo(lib_version=VERSION),
        )
        self._claim = self._redis.register_script(_CLAIM)
        self._release = self._redis.register_script(_RELEASE)

    async def close(self) -> None:
        await self._redis.aclose()

    async def find(self, host: str) -> Entry | None:
        async with _in_time(DEADLINE_S):
            found = await self._redis.hgetall(_key(host))
        return _entry({str(name): str(value) for name, value in found.items()})

    async def claim(self, entries: Mapping[str, Entry]) -> list[str]:
        if not entries:
            return []
        async with _in_time(WRITE_DEADLINE_S), self._redis.pipeline(transaction=False) as pipeline:
            for host, entry in entries.items():
                arguments: list[str | int] = [
                    entry.org_id,
                    entry.node,
                    int(entry.running),
                    int(LIFE_S * 1000),
                ]
                await self._claim(keys=[_key(host)], args=[*arguments, *_fields(entry)], client=pipeline)
            taken = await pipeline.execute()
        return [host for host, is_ours in zip(entries, taken, strict=True) if not is_ours]

    async def release(self, hosts: Collection[str], node: str) -> None:
        if not hosts:
            return
        async with _in_time(WRITE_DEADLINE_S), self._redis.pipeline(transaction=False) as pipeline:
            for host in hosts:
                await self._release(keys=[_key(host)], args=[node], client=pipeline)
            await pipeline.execute()

    async def hop_key(self) -> bytes:
        async with _in_time(WRITE_DEADLINE_S):
            await self._redis.set(_HOP_KEY, secrets.token_hex(32), nx=True)
            return str(await self._redis.get(_HOP_KEY)).encode()


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (TimeoutError, RedisError, OSError) as error:
        raise RegistryUnavailable(type(error).__name__) from error


def _key(host: str) -> str:
    return f"service:{host}"


def _fields(entry: Entry) -> list[str | int]:
    return [
        *("worker_ip", entry.worker_ip),
        *("port", entry.port),
        *("org_id", entry.org_id),
        *("node", entry.node),
        *("project_id", entry.project_id),
        *("visibility", entry.visibility.value),
        *("running", int(entry.running)),
        *("allowed_orgs", json.dumps(sorted(entry.allowed_orgs))),
    ]


def _entry(found: Mapping[str, str]) -> Entry | None:
    """None for what is not there or not usable. What is missing is read as the stricter of its values."""
    try:
        if not found["org_id"]:
            return None
        return Entry(
            worker_ip=found["worker_ip"],
            port=int(found["port"]),
            org_id=found["org_id"],
            node=found.get("node", ""),
            project_id=found.get("project_id", ""),
            visibility=Visibility(found.get("visibility", "private")),
            running=found.get("running", "1") == "1",
            allowed_orgs=frozenset(json.loads(found.get("allowed_orgs", "[]"))),
        )
    except (KeyError, ValueError, TypeError):
        return None
