"""Hoster's side of the contract, for tests: signed commands."""

import io
import json
import secrets
import time
from typing import Any

import aiohttp
from yarl import URL

from shared.signature import HEADER, Command, sign

SECRET = "0123456789abcdef0123456789abcdef"


class Commander:
    def __init__(self, session: aiohttp.ClientSession, base: str, secret: str = SECRET) -> None:
        self._session = session
        self.base = base
        self._secret = secret.encode()

    def with_secret(self, secret: str) -> "Commander":
        return Commander(self._session, self.base, secret)

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        octets = b"" if body is None else json.dumps(body).encode()
        return await self.send(method, path, octets, self.signed(method, path, octets))

    async def ok(self, method: str, path: str, body: object = None) -> Any:
        status, answer = await self.call(method, path, body)
        assert status < 300, (status, answer)
        return answer

    async def send(self, method: str, path: str, octets: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        # Encoded: the client must not rewrite the path, because what is signed is what is sent.
        url = URL(self.base + path, encoded=True)
        async with self._session.request(method, url, data=io.BytesIO(octets), headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if "json" in response.content_type else text

    def signed(self, method: str, path: str, octets: bytes, at: float | None = None) -> dict[str, str]:
        moment = int(time.time() if at is None else at)  # noqa: TID251 - the worker's clock is the machine's
        command = Command(method, path, octets)
        return {HEADER: sign(self._secret, command, moment, secrets.token_urlsafe(16))}
