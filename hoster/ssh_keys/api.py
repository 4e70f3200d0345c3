"""`/api/v1/ssh_keys`."""

from aiohttp import web
from pydantic import Field, SecretStr

from hoster.access import Route
from hoster.bodies import Name, StrictBody, read_body
from hoster.paging import page_response, parse_page
from hoster.ssh_keys.commands import SSH_KEY_COMMANDS, SshKeyNotFound
from hoster.ssh_keys.store import SSH_KEY_STORE
from hoster.viewer import VIEWER

COLLECTION = "/api/v1/ssh_keys"
PRIVATE_KEY_MOST = 20_000


class NewSshKeyBody(StrictBody):
    name: Name
    private_key: SecretStr | None = Field(default=None, min_length=1, max_length=PRIVATE_KEY_MOST)


async def list_keys(request: web.Request) -> web.Response:
    page = await request.app[SSH_KEY_STORE].page(request[VIEWER].user_id, parse_page(request.query))
    return page_response(page, lambda key: key.as_json())


async def add(request: web.Request) -> web.Response:
    body = await read_body(request, NewSshKeyBody)
    given = None if body.private_key is None else body.private_key.get_secret_value()
    key = await request.app[SSH_KEY_COMMANDS].add(request[VIEWER], body.name.strip(), given)
    return web.json_response(key.as_json(), status=201, headers={"Location": f"{COLLECTION}/{key.id}"})


async def show(request: web.Request) -> web.Response:
    key = await request.app[SSH_KEY_STORE].find(request.match_info["id"], request[VIEWER].user_id)
    if key is None:
        raise SshKeyNotFound
    return web.json_response(key.as_json())


async def remove(request: web.Request) -> web.Response:
    await request.app[SSH_KEY_COMMANDS].remove(request[VIEWER], request.match_info["id"])
    return web.Response(status=204)


ROUTES = (
    Route("GET", COLLECTION, list_keys),
    Route("POST", COLLECTION, add),
    Route("GET", COLLECTION + "/{id}", show),
    Route("DELETE", COLLECTION + "/{id}", remove),
)
