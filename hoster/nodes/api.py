"""`/api/v1/nodes` for owners."""

from aiohttp import web

from hoster.access import Route
from hoster.bodies import read_body
from hoster.nodes.bodies import NewNodeBody, NodeChangeBody
from hoster.nodes.commands import NodeCommands, NodeNotFound
from hoster.nodes.model import Node
from hoster.nodes.store import NodeStore
from hoster.paging import parse_page
from hoster.viewer import VIEWER
from shared.clock import Clock

NODE_STORE = web.AppKey("node_store", NodeStore)
NODE_COMMANDS = web.AppKey("node_commands", NodeCommands)
CLOCK: web.AppKey[Clock] = web.AppKey("clock")
PUBLIC_URL = web.AppKey("public_url", str)


async def list_nodes(request: web.Request) -> web.Response:
    viewer, now = request[VIEWER], request.app[CLOCK].now()
    page = await request.app[NODE_STORE].page(viewer.user_id, parse_page(request.query))
    return web.json_response(page.as_json(lambda node: node.as_json(viewer.user_id, now)))


async def register(request: web.Request) -> web.Response:
    viewer = request[VIEWER]
    node, token = await request.app[NODE_COMMANDS].register(viewer, await read_body(request, NewNodeBody))
    shown = node.as_json(viewer.user_id, request.app[CLOCK].now())
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
    return _shown(request, node)


async def change(request: web.Request) -> web.Response:
    body = await read_body(request, NodeChangeBody)
    return _shown(request, await request.app[NODE_COMMANDS].change(request[VIEWER], _id(request), body))


async def begin_maintenance(request: web.Request) -> web.Response:
    return await _set_maintenance(request, maintenance=True)


async def end_maintenance(request: web.Request) -> web.Response:
    return await _set_maintenance(request, maintenance=False)


async def _set_maintenance(request: web.Request, *, maintenance: bool) -> web.Response:
    commands = request.app[NODE_COMMANDS]
    return _shown(
        request, await commands.set_maintenance(request[VIEWER], _id(request), maintenance=maintenance)
    )


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _shown(request: web.Request, node: Node) -> web.Response:
    return web.json_response(node.as_json(request[VIEWER].user_id, request.app[CLOCK].now()))


async def remove(request: web.Request) -> web.Response:
    await request.app[NODE_COMMANDS].remove(request[VIEWER], request.match_info["id"])
    return web.Response(status=204)


ROUTES = (
    Route("GET", "/api/v1/nodes", list_nodes),
    Route("POST", "/api/v1/nodes", register),
    Route("GET", "/api/v1/nodes/{id}", show),
    Route("PATCH", "/api/v1/nodes/{id}", change),
    Route("DELETE", "/api/v1/nodes/{id}", remove),
    Route("POST", "/api/v1/nodes/{id}/maintenance", begin_maintenance),
    Route("DELETE", "/api/v1/nodes/{id}/maintenance", end_maintenance),
)
