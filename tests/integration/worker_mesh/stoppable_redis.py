"""A Redis of the test's own, to be harmed."""

import asyncio

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.integration.worker_mesh.eventually import eventually


class StoppableRedis:
    def __init__(self, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._port = port

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *("redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""),
            stdout=asyncio.subprocess.DEVNULL,
        )
        with Redis.from_url(self.url) as client:
            await eventually(lambda: asyncio.to_thread(_pings, client))

    def freeze(self) -> None:
        self._process.send_signal(19)

    def kill(self) -> None:
        self._process.kill()

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def _pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False
