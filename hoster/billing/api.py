"""A user's billing events, and the answer to APIGate's question whether an operation was performed."""

from aiohttp import web

from hoster.access import Access, Route
from hoster.billing.store import BILLING_STORE
from hoster.paging import parse_page
from hoster.viewer import VIEWER


class OperationNotFound(Exception):
    """Nothing was performed under this request id."""


async def list_events(request: web.Request) -> web.Response:
    page = await request.app[BILLING_STORE].page(request[VIEWER].user_id, parse_page(request.query))
    return web.json_response(page.as_json(lambda event: event.as_json()))


async def show_operation(request: web.Request) -> web.Response:
    event = await request.app[BILLING_STORE].find(request.match_info["request_id"])
    if event is None:
        raise OperationNotFound
    return web.json_response(
        {"request_id": event.request_id, "event_type": event.event_type, "status": event.status}
    )


ROUTES = (
    Route("GET", "/api/v1/billing/events", list_events),
    Route("GET", "/internal/operations/{request_id}", show_operation, Access.GATEWAY),
)
