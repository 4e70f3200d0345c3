"""`GET /api/v1/me`."""

from aiohttp import web

from hoster.access import Route
from hoster.deployments.store import DEPLOYMENT_STORE
from hoster.viewer import VIEWER


async def me(request: web.Request) -> web.Response:
    viewer = request[VIEWER]
    usage = await request.app[DEPLOYMENT_STORE].usage(viewer.user_id)
    return web.json_response(
        {
            "user_id": viewer.user_id,
            "org_id": viewer.org_id,
            "plan_id": viewer.plan_id,
            "limits": viewer.limits.as_json(),
            "usage": usage.as_json(),
        }
    )


ROUTES = (Route("GET", "/api/v1/me", me),)
