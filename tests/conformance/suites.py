"""The two suites, and how one is run against a server."""

import asyncio
from dataclasses import dataclass, replace

from tests.conformance import rfc_suite, wire_suite
from tests.conformance.case import Case
from tests.conformance.dialogue import Server

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Suite:
    """`half_close`: its client ends its side once it has said everything."""

    name: str
    cases: tuple[Case, ...]
    half_close: bool = False


SUITES = (
    Suite("rfc, half-closing clients", rfc_suite.CASES, half_close=True),
    Suite("rfc, plain clients", rfc_suite.CASES),
    Suite("wire", wire_suite.CASES),
)


async def faults(suite: Suite, server: Server) -> list[tuple[Case, str | None]]:
    """Every case of the suite with what was wrong, in order."""
    server = replace(server, half_close=suite.half_close)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> tuple[Case, str | None]:
        async with turn:
            return case, await case.fault(server)

    return await asyncio.gather(*(one(case) for case in suite.cases))
