"""Releases of a deployment, and the node's own records of how each was deployed."""

import re

from aiohttp import web

from hoster.access import Route
from hoster.bodies import EmptyBody, StrictBody, read_body
from hoster.conditional import answer
from hoster.deployments.api import APP_URLS, COLLECTION, as_read, owned
from hoster.deployments.commands import ACCEPTED
from hoster.monitoring.questions import MONITOR
from hoster.paging import page_response, parse_page
from hoster.releases.commands import RELEASE_COMMANDS
from hoster.releases.store import RELEASE_STORE
from hoster.viewer import VIEWER

_ONE = COLLECTION + "/{id}"
_DEPLOY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class DeployNotFound(Exception):
    """The node has no such deploy of this deployment."""


class RollbackBody(StrictBody):
    release_id: str


async def list_releases(request: web.Request) -> web.Response:
    deployment = await owned(request)
    page = await request.app[RELEASE_STORE].page(deployment.id, parse_page(request.query))
    return page_response(page, lambda release: release.as_json(deployment.release_id))


async def redeploy(request: web.Request) -> web.Response:
    deployment = await owned(request)
    await read_body(request, EmptyBody)
    begun = await request.app[RELEASE_COMMANDS].redeploy(request[VIEWER], deployment.id, as_read(request))
    return answer(request, begun.as_json(request.app[APP_URLS]), ACCEPTED)


async def rollback(request: web.Request) -> web.Response:
    deployment = await owned(request)
    body = await read_body(request, RollbackBody)
    rolled = await request.app[RELEASE_COMMANDS].roll_back(
        request[VIEWER], deployment.id, body.release_id, as_read(request)
    )
    return answer(
        request, rolled.deployment.as_json(request.app[APP_URLS]), ACCEPTED if rolled.begun else 200
    )


async def list_deploys(request: web.Request) -> web.Response:
    return web.json_response({"items": await request.app[MONITOR].deploys(await owned(request))})


async def show_deploy(request: web.Request) -> web.Response:
    deployment = await owned(request)
    deploy_id = request.match_info["deploy_id"]
    found = None
    if _DEPLOY_ID.fullmatch(deploy_id) is not None:
        found = await request.app[MONITOR].deploy(deployment, deploy_id)
    if found is None:
        raise DeployNotFound
    return web.json_response(found)


ROUTES = (
    Route("GET", _ONE + "/releases", list_releases),
    Route("POST", _ONE + "/redeploy", redeploy),
    Route("POST", _ONE + "/rollback", rollback),
    Route("GET", _ONE + "/deploys", list_deploys),
    Route("GET", _ONE + "/deploys/{deploy_id}", show_deploy),
)
