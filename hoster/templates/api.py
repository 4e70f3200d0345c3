"""`/api/v1/templates`."""

from aiohttp import web

from hoster.access import Route
from hoster.paging import parse_page
from hoster.templates.store import TemplateStore
from hoster.viewer import VIEWER

TEMPLATE_STORE = web.AppKey("template_store", TemplateStore)


class TemplateNotFound(Exception):
    """No such template, or a draft of someone else."""


async def list_templates(request: web.Request) -> web.Response:
    page = await request.app[TEMPLATE_STORE].page(
        request[VIEWER].user_id,
        parse_page(request.query),
        request.query.get("q") or None,
        request.query.get("category") or None,
    )
    return web.json_response(page.as_json(lambda template: template.as_json()))


async def show(request: web.Request) -> web.Response:
    template = await request.app[TEMPLATE_STORE].find(request.match_info["id"], request[VIEWER].user_id)
    if template is None:
        raise TemplateNotFound
    return web.json_response(template.as_json())


ROUTES = (
    Route("GET", "/api/v1/templates", list_templates),
    Route("GET", "/api/v1/templates/{id}", show),
)
