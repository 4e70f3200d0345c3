"""`/api/v1/nodes` for owners."""

from functools import partial

from aiohttp import web

from hoster.access import Route
from hoster.bodies import EmptyBody, query_choice, read_body
from hoster.nodes.bodies import NewNodeBody, NodeChangeBody
from hoster.nodes.bootstrap.bodies import BootstrapBody
from hoster.nodes.bootstrap.commands import BOOTSTRAP_COMMANDS
from hoster.nodes.bootstrap.model import Bootstrap
from hoster.nodes.bootstrap.store import BOOTSTRAP_STORE
from hoster.nodes.commands import NodeCommands, NodeNotFound
from hoster.nodes.model import Node
from hoster.nodes.store import NodeStore
from hoster.paging import page_response, parse_page
from hoster.viewer import VIEWER
from shared.clock import Clock

NODE_STORE = web.AppKey("node_store", NodeStore)
NODE_COMMANDS = web.AppKey("node_commands", NodeCommands)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
PUBLIC_URL = web.AppKey("public_url", str)


async def list_nodes(request: web.Request) -> web.Response:
    page = await request.app[NODE_STORE].page(request[VIEWER].user_id, parse_page(request.query))
    bootstraps = await request.app[BOOTSTRAP_STORE].of(node.id for node in page.items)
    return page_response(page, lambda node: _members(request, node, bootstraps.get(node.id)))


async def register(request: web.Request) -> web.Response:
    """With `ssh`, Hoster itself installs the worker; the token is good for either way."""
    viewer, bootstraps = request[VIEWER], request.app[BOOTSTRAP_COMMANDS]
    body = await read_body(request, NewNodeBody)
    also = None
    if body.ssh is not None:
        order = await bootstraps.prepare(viewer, body.ssh)
        also = partial(bootstraps.record, order=order)
    node, token = await request.app[NODE_COMMANDS].register(viewer, body, also)
    bootstraps.begin()
    shown = await _with_bootstrap(request, node)
    command = f"python -m worker join --hoster {request.app[PUBLIC_URL]} --token {token}"
    return web.json_response(
        {**shown, "join_token": token, "join_command": command},
        status=201,
        headers={"Location": f"/api/v1/nodes/{node.id}", "Cache-Control": "no-store"},
    )


async def show(request: web.Request) -> web.Response:
    viewer = request[VIEWER]
    node = await request.app[NODE_STORE].find(_id(request), viewer.user_id)
    if node is None:
        raise NodeNotFound
    return await _shown(request, node)


async def change(request: web.Request) -> web.Response:
    body = await read_body(request, NodeChangeBody)
    return await _shown(request, await request.app[NODE_COMMANDS].change(request[VIEWER], _id(request), body))


async def begin_maintenance(request: web.Request) -> web.Response:
    return await _set_maintenance(request, maintenance=True)


async def end_maintenance(request: web.Request) -> web.Response:
    return await _set_maintenance(request, maintenance=False)


async def _set_maintenance(request: web.Request, *, maintenance: bool) -> web.Response:
    await read_body(request, EmptyBody)
    commands = request.app[NODE_COMMANDS]
    return await _shown(
        request, await commands.set_maintenance(request[VIEWER], _id(request), maintenance=maintenance)
    )


def _id(request: web.Request) -> str:
    return request.match_info["id"]


async def _shown(request: web.Request, node: Node) -> web.Response:
    return web.json_response(await _with_bootstrap(request, node))


async def _with_bootstrap(request: web.Request, node: Node) -> dict[str, object]:
    return _members(request, node, (await request.app[BOOTSTRAP_STORE].of([node.id])).get(node.id))


def _members(request: web.Request, node: Node, bootstrap: Bootstrap | None) -> dict[str, object]:
    """How a node was installed is its owner's alone, as its address is."""
    viewer_id = request[VIEWER].user_id
    shown = bootstrap.as_json() if bootstrap is not None and node.owner_id == viewer_id else None
    return {**node.as_json(viewer_id, request.app[CLOCK].now()), "bootstrap": shown}


async def install_again(request: web.Request) -> web.Response:
    viewer, commands = request[VIEWER], request.app[BOOTSTRAP_COMMANDS]
    body = await read_body(request, BootstrapBody)
    await commands.order_again(viewer, _id(request), await commands.prepare(viewer, body.ssh))
    response = await show(request)
    response.set_status(202)
    return response


async def remove(request: web.Request) -> web.Response:
    lost = query_choice(request.query, "lost", "false", ("true", "false")) == "true"
    await request.app[NODE_COMMANDS].remove(request[VIEWER], _id(request), lost=lost)
    return web.Response(status=204)


ROUTES = (
    Route("GET", "/api/v1/nodes", list_nodes),
    Route("POST", "/api/v1/nodes", register),
    Route("GET", "/api/v1/nodes/{id}", show),
    Route("PATCH", "/api/v1/nodes/{id}", change),
    Route("DELETE", "/api/v1/nodes/{id}", remove),
    Route("POST", "/api/v1/nodes/{id}/bootstrap", install_again),
    Route("POST", "/api/v1/nodes/{id}/maintenance", begin_maintenance),
    Route("DELETE", "/api/v1/nodes/{id}/maintenance", end_maintenance),
)
