"""`python -m tests.bench.sign_in_time`: does the time of a refused sign-in tell whether the account exists?

Known and unknown addresses in turn, each a few times only, so that nobody's back-off begins. Shown are the medians and how often a
guess by time alone, against the median of all, would be right: half the time is what a coin does.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from statistics import median

import aiohttp

from tests.bench.running_gateway import RunningGateway, running_gateway
from tests.bench.table import table

ACCOUNTS = 6
TRIES_EACH = 4
"""Below the five failures that an account has free, and in all below the fifty of an address."""


@dataclass(frozen=True, slots=True)
class Found:
    """Milliseconds of each refusal."""

    known: list[float]
    unknown: list[float]

    @property
    def guessed_right(self) -> float:
        """The share of those whom the better of the two rules (slower is known, faster is known) tells right."""
        middle = median(self.known + self.unknown)
        right = sum(value > middle for value in self.known) + sum(value <= middle for value in self.unknown)
        share = right / (len(self.known) + len(self.unknown))
        return max(share, 1 - share)


async def measure() -> Found:
    async with running_gateway(1) as gateway, aiohttp.ClientSession() as client:
        for number in range(ACCOUNTS):
            await gateway.sign_up(client, f"known{number}@example.org")
        found = Found([], [])
        for _ in range(TRIES_EACH):
            for number in range(ACCOUNTS):
                found.known.append(await _refused_ms(gateway, client, f"known{number}@example.org"))
                found.unknown.append(await _refused_ms(gateway, client, f"nobody{number}@example.org"))
        return found


async def _refused_ms(gateway: RunningGateway, client: aiohttp.ClientSession, email: str) -> float:
    began = time.perf_counter()
    body = {"email": email, "password": "not this one"}
    async with client.post(f"{gateway.url}/mod/auth/login", json=body) as response:
        await response.read()
        if response.status != 401:
            raise RuntimeError(f"not refused as expected: {response.status}")
    return (time.perf_counter() - began) * 1000


def main() -> int:
    found = asyncio.run(measure())
    table(
        f"Refused sign-ins, {len(found.known)} of each",
        [
            ("known account, median", f"{median(found.known):.1f} ms"),
            ("unknown account, median", f"{median(found.unknown):.1f} ms"),
            ("told apart by time alone", f"{found.guessed_right:.0%}"),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
