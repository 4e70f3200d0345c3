"""`python -m tests.servers.durable_shop PORT DATABASE`: an upstream that performs operations durably, and says which.

An operation is a row, committed before it is answered. `before` and `after` in the query are milliseconds to wait on either side of the
commit; who hangs up does not stop it. It keeps the contract of a `reconcile` path in its plain form: 200, or 404 for now.
"""

import asyncio
import sqlite3
import sys

from aiohttp import web

EVENT = {"X-Event-Type": "order.placed"}
_TABLE = "CREATE TABLE IF NOT EXISTS operations (request_id TEXT PRIMARY KEY)"


class Shop:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    async def order(self, request: web.Request) -> web.Response:
        wanted = request.query.get("do", "perform")
        await asyncio.sleep(int(request.query.get("before", "0")) / 1000)
        if wanted == "fail":
            return web.json_response({}, status=422)
        if wanted == "repeat":
            return web.json_response({})
        with self._database:
            self._database.execute("INSERT INTO operations VALUES (?)", (request.headers["X-Request-ID"],))
        await asyncio.sleep(int(request.query.get("after", "0")) / 1000)
        return web.json_response({}, status=202, headers=EVENT)

    async def tell(self, request: web.Request) -> web.Response:
        found = self._database.execute(
            "SELECT 1 FROM operations WHERE request_id = ?", (request.match_info["request_id"],)
        ).fetchone()
        if found is None:
            return web.json_response({}, status=404)
        return web.json_response({"event_type": EVENT["X-Event-Type"], "status": 202})


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def main() -> None:
    port, path = int(sys.argv[1]), sys.argv[2]
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(_TABLE)
    shop = Shop(database)
    app = web.Application()
    app.router.add_post("/api/v1/deployments", shop.order)
    app.router.add_get("/internal/operations/{request_id}", shop.tell)
    app.router.add_get("/health", _healthy)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, reuse_address=True)


if __name__ == "__main__":
    main()
