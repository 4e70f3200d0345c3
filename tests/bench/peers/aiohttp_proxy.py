"""What a Python gateway usually is: an aiohttp server with an aiohttp client behind it, and PyJWT.

`python -m tests.bench.peers.aiohttp_proxy PORT UPSTREAM_PORT` serves.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import jwt
import uvloop
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from jwt.exceptions import InvalidTokenError
from multidict import CIMultiDict

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.bench.peers.tokens import SECRET, USER_ID, shared_secret_token
from tests.free_ports import free_port

_SESSION = web.AppKey("session", ClientSession)
_HOP_BY_HOP = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Authorization", "Host")


class AiohttpProxy:
    name = "aiohttp proxy"
    leaves_out: ClassVar[Mapping[Lane, str]] = {
        Lane.PLAIN: "holds whole bodies in memory",
        Lane.IDENTITY: "HS256 instead of EdDSA, no signed identity, no revocation, no user status",
    }

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place, port = own_folder(site, "aiohttp"), free_port()
        log = place.folder / "aiohttp.log"
        command = [
            sys.executable,
            "-m",
            "tests.bench.peers.aiohttp_proxy",
            str(port),
            str(site.upstream_port),
        ]
        with program(command, log, {"PATH": os.environ["PATH"]}) as pid:
            wait_for(port, log)
            base = f"http://127.0.0.1:{port}"
            headers = {"Authorization": f"Bearer {shared_secret_token()}"}
            urls = {Lane.PLAIN: f"{base}/", Lane.IDENTITY: f"{base}/identity/"}
            yield Running(pid, urls, {Lane.IDENTITY: headers}, USER_ID)


def serve(port: int, upstream_port: int) -> None:
    async def proxy(request: web.Request) -> web.Response:
        headers = CIMultiDict(request.headers)
        for name in _HOP_BY_HOP:
            headers.popall(name, None)
        if request.path.startswith("/identity/"):
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="hoster")
            except InvalidTokenError as error:
                raise web.HTTPUnauthorized from error
            headers["X-User-ID"], headers["X-Org-ID"] = claims["sub"], claims["orgId"]
            headers["X-Plan-ID"] = claims["plan"]
        url = f"http://127.0.0.1:{upstream_port}{request.raw_path}"
        async with request.app[_SESSION].request(
            request.method, url, headers=headers, data=await request.read()
        ) as answer:
            body = await answer.read()
        passed = CIMultiDict(answer.headers)
        for name in _HOP_BY_HOP:
            passed.popall(name, None)
        return web.Response(status=answer.status, headers=passed, body=body)

    async def session(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar()) as client:
            app[_SESSION] = client
            yield

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy)
    app.cleanup_ctx.append(session)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
