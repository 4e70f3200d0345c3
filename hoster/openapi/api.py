"""`GET /api/v1/openapi.json`: the same for everyone, so nobody has to say who they are."""

from aiohttp import web

from hoster.access import Access, Route

OPENAPI = web.AppKey("openapi", bytes)


async def show(request: web.Request) -> web.Response:
    return web.Response(body=request.app[OPENAPI], content_type="application/json")


ROUTES = (Route("GET", "/api/v1/openapi.json", show, Access.PUBLIC),)
