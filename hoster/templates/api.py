"""`/api/v1/templates`."""

from aiohttp import web

from hoster.access import Route
from hoster.bodies import EmptyBody, read_body, read_json
from hoster.conditional import answer, permits
from hoster.paging import page_response, parse_page
from hoster.templates.commands import TemplateCommands, TemplateNotFound
from hoster.templates.model import Template
from hoster.templates.store import TemplateStore
from hoster.viewer import VIEWER

TEMPLATE_STORE = web.AppKey("template_store", TemplateStore)
TEMPLATE_COMMANDS = web.AppKey("template_commands", TemplateCommands)
COLLECTION = "/api/v1/templates"


async def list_templates(request: web.Request) -> web.Response:
    page = await request.app[TEMPLATE_STORE].page(
        request[VIEWER].user_id,
        parse_page(request.query),
        request.query.get("q", "").strip() or None,
        request.query.get("category") or None,
    )
    return page_response(page, lambda template: template.as_json())


async def show(request: web.Request) -> web.Response:
    template = await request.app[TEMPLATE_STORE].find(_id(request), request[VIEWER].user_id)
    if template is None:
        raise TemplateNotFound
    return _shown(request, template)


async def write(request: web.Request) -> web.Response:
    template = await request.app[TEMPLATE_COMMANDS].write(request[VIEWER], await read_json(request))
    response = _shown(request, template)
    response.set_status(201)
    response.headers["Location"] = f"{COLLECTION}/{template.id}"
    return response


async def revise(request: web.Request) -> web.Response:
    changes = await read_json(request)
    commands = request.app[TEMPLATE_COMMANDS]
    return _shown(
        request,
        await commands.revise(request[VIEWER], _id(request), changes, permits(request, Template.as_json)),
    )


async def publish(request: web.Request) -> web.Response:
    return await _set_published(request, published=True)


async def unpublish(request: web.Request) -> web.Response:
    return await _set_published(request, published=False)


async def _set_published(request: web.Request, *, published: bool) -> web.Response:
    await read_body(request, EmptyBody)
    commands, check = request.app[TEMPLATE_COMMANDS], permits(request, Template.as_json)
    return _shown(
        request, await commands.set_published(request[VIEWER], _id(request), check, published=published)
    )


async def withdraw(request: web.Request) -> web.Response:
    await request.app[TEMPLATE_COMMANDS].withdraw(
        request[VIEWER], _id(request), permits(request, Template.as_json)
    )
    return web.Response(status=204)


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _shown(request: web.Request, template: Template) -> web.Response:
    return answer(request, template.as_json())


ROUTES = (
    Route("GET", COLLECTION, list_templates),
    Route("POST", COLLECTION, write),
    Route("GET", COLLECTION + "/{id}", show),
    Route("PATCH", COLLECTION + "/{id}", revise),
    Route("DELETE", COLLECTION + "/{id}", withdraw),
    Route("POST", COLLECTION + "/{id}/publish", publish),
    Route("POST", COLLECTION + "/{id}/unpublish", unpublish),
)
