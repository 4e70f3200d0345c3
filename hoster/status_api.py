"""`/health` and `/stats`: for operators and load balancers, about nobody in particular."""

import asyncio
import sqlite3
from collections import Counter

from aiohttp import web

from hoster.access import Access, Route
from hoster.leaving import LEAVING
from hoster.nodes.api import CLOCK, NODE_STORE
from hoster.nodes.model import NodeStatus
from shared.database import Database

DATABASE_DEADLINE_S = 2.0

DATABASE = web.AppKey("database", Database)
STARTED_AT = web.AppKey("started_at", float)

_COUNTS = "SELECT what, state, n FROM counts WHERE n > 0 ORDER BY what, state"


async def health(request: web.Request) -> web.Response:
    """503 while draining, or when the database does not answer."""
    try:
        async with asyncio.timeout(DATABASE_DEADLINE_S):
            nodes = await _nodes(request)
    except (sqlite3.Error, TimeoutError):
        return web.json_response({"status": "unavailable", "database": "unavailable"}, status=503)
    leaving = request.app[LEAVING].is_set()
    return web.json_response(
        {"status": "draining" if leaving else "ok", "database": "ok", "nodes": nodes},
        status=503 if leaving else 200,
    )


async def stats(request: web.Request) -> web.Response:
    counts: dict[str, dict[str, int]] = {
        "deployments": {}, "jobs": {}, "templates": {}, "users": {}, "billing_events": {},
    }  # fmt: skip
    for row in await request.app[DATABASE].fetch_all(_COUNTS):
        counts[row["what"]][row["state"]] = row["n"]
    uptime = request.app[CLOCK].monotonic() - request.app[STARTED_AT]
    return web.json_response({"uptime_s": round(uptime, 3), "nodes": await _nodes(request), **counts})


async def _nodes(request: web.Request) -> dict[str, int]:
    now = request.app[CLOCK].now()
    found = Counter(node.status(now) for node in await request.app[NODE_STORE].everyone())
    return {status.value: found[status] for status in NodeStatus}


ROUTES = (
    Route("GET", "/health", health, Access.PUBLIC),
    Route("GET", "/stats", stats, Access.PUBLIC),
)
