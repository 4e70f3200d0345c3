"""The gateway's own questions to upstreams (health, reconciliation): few, small, and off the hot path."""

from dataclasses import dataclass

import aiohttp

from shared.relay.director import Target

_LONGEST_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


class UpstreamUnreachable(Exception):
    """No usable answer in time."""


class UpstreamClient:
    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._by_socket: dict[str, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        for session in (self._session, *self._by_socket.values()):
            await session.close()

    async def get(self, target: Target, path: str, headers: dict[str, str], timeout_s: float) -> Reply:
        """Raises UpstreamUnreachable."""
        return await self.ask("GET", target, path, headers, timeout_s)

    async def ask(
        self, method: str, target: Target, path: str, headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Raises UpstreamUnreachable. Redirects are an answer, not followed."""
        try:
            async with self._session_for(target).request(
                method,
                f"http://{target.host}:{target.port}{path}",
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                return Reply(response.status, await response.content.read(_LONGEST_BODY))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(str(error) or type(error).__name__) from error

    def _session_for(self, target: Target) -> aiohttp.ClientSession:
        if target.unix_path is None:
            return self._session
        session = self._by_socket.get(target.unix_path)
        if session is None:
            session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(target.unix_path))
            self._by_socket[target.unix_path] = session
        return session
