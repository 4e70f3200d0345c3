"""Several clients of the crash test, who order, hang up, repeat and make mistakes for as long as they are let."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

_ANSWER_WITHIN_S = 8.0
_AGAIN_S = 0.05
_PATH = "/api/v1/deployments"


@dataclass
class Seen:
    """`performed` are the ids of the requests that were answered as performed."""

    answers: Counter[str] = field(default_factory=Counter)
    performed: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def requests(self) -> int:
        return sum(self.answers.values())


class Customer:
    def __init__(self, url: str, token: str, body: object, chance: random.Random, seen: Seen) -> None:
        self._url = url
        self._token = token
        self._body = body
        self._chance = chance
        self._seen = seen
        self._repeated = 0

    async def order_until_told(self) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as client:
            while not self._seen.stop.is_set():
                await self._order(client)
                await asyncio.sleep(self._chance.uniform(0, 0.02))

    async def _order(self, client: aiohttp.ClientSession) -> None:
        chance = self._chance
        wanted = chance.choices(("perform", "fail", "repeat"), (8, 1, 1))[0]
        query = f"?do={wanted}&before={chance.choice((0, 0, 5, 150))}&after={chance.choice((0, 0, 20))}"
        body = {"name": ""} if wanted == "fail" else self._body
        headers = {"Authorization": f"Bearer {self._token}"}
        if wanted == "repeat":
            # The third under one key begins a new one, so that keys are first used, repeated, and repeated after a kill.
            self._repeated += 1
            headers["Idempotency-Key"] = f"{id(self)}-{self._repeated // 3}"
            query = "?do=repeat"
        patience = chance.uniform(0.001, 0.05) if chance.random() < 0.1 else _ANSWER_WITHIN_S
        try:
            async with asyncio.timeout(patience):
                async with client.post(f"{self._url}{_PATH}{query}", json=body, headers=headers) as response:
                    await response.read()
                    self._seen.answers[str(response.status)] += 1
                    if "X-Event-Type" in response.headers:
                        self._seen.performed.append(response.headers["X-Request-ID"])
        except TimeoutError:
            self._seen.answers["hung up"] += 1
        except aiohttp.ClientError:
            self._seen.answers["broken"] += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    await self._seen.stop.wait()
