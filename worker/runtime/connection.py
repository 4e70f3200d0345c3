"""A client of its own for those who stream from the engine: a long answer occupies a connection, and aiodocker's pool is bounded."""

import aiohttp


def engine_session(address: str) -> tuple[aiohttp.ClientSession, str]:
    """An open session and the base URL to use with it. `address` is a `DOCKER_HOST` (`unix://...`, `tcp://...`)."""
    connector: aiohttp.BaseConnector
    if address.startswith("unix://"):
        connector, base = aiohttp.UnixConnector(address.removeprefix("unix://"), limit=0), "http://engine"
    else:
        connector, base = aiohttp.TCPConnector(limit=0), "http://" + address.partition("://")[2]
    return aiohttp.ClientSession(connector=connector), base
