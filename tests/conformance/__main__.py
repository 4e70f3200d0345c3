"""`python -m tests.conformance [HOST PORT]`: the suites against a server that echoes bodies; without an address, our relay.

Exits 1 when a case fails. For another proxy, put it before `python -m tests.servers.body_echo PORT`.
"""

import asyncio
import sys
from collections.abc import Sequence

from tests.bench.table import line
from tests.conformance.dialogue import Server
from tests.conformance.suites import SUITES, faults
from tests.servers.body_echo import body_echo
from tests.servers.relay_under_test import served_relay


async def _run(server: Server) -> bool:
    counts = []
    for suite in SUITES:
        line(suite.name)
        results = await faults(suite, server)
        for case, fault in results:
            line(f"  {'PASS' if fault is None else 'FAIL'}  {case.name}" + (f": {fault}" if fault else ""))
        counts.append((suite.name, sum(fault is None for _, fault in results), len(results)))
    for name, passed, total in counts:
        line(f"{passed}/{total}  {name}")
    return all(passed == total for _, passed, total in counts)


async def _main(address: Sequence[str]) -> bool:
    if address:
        host, port = address
        return await _run(Server(host, int(port)))
    async with body_echo() as origin, served_relay(origin) as relay:
        return await _run(Server("127.0.0.1", relay.port))


if __name__ == "__main__":
    if len(sys.argv) not in {1, 3}:
        sys.exit("usage: python -m tests.conformance [HOST PORT]")
    sys.exit(not asyncio.run(_main(sys.argv[1:])))
