"""A user's billing events, and the answer to APIGate's question whether an operation was performed.

"Not performed" is only ever true of now: the request may still be on its way here, or wait for its turn. APIGate makes it true for
good by deleting the operation, after which a request that comes late is refused.
"""

from aiohttp import web

from hoster.access import Access, Route
from hoster.billing.store import BILLING_STORE, BillingEvent
from hoster.paging import page_response, parse_page
from hoster.viewer import VIEWER


class OperationNotFound(Exception):
    """Nothing was performed under this request id, so far."""


class OperationGone(Exception):
    """Nothing was performed under this request id, and nothing will be."""


async def list_events(request: web.Request) -> web.Response:
    page = await request.app[BILLING_STORE].page(request[VIEWER].user_id, parse_page(request.query))
    return page_response(page, lambda event: event.as_json())


async def show_operation(request: web.Request) -> web.Response:
    billing, request_id = request.app[BILLING_STORE], request.match_info["request_id"]
    event = await billing.find(request_id)
    if event is not None:
        return _performed(event)
    if await billing.is_cancelled(request_id):
        raise OperationGone
    raise OperationNotFound


async def cancel_operation(request: web.Request) -> web.Response:
    """What was performed cannot be cancelled: it is answered as by GET."""
    event = await request.app[BILLING_STORE].cancel(request.match_info["request_id"])
    if event is None:
        raise OperationGone
    return _performed(event)


def _performed(event: BillingEvent) -> web.Response:
    return web.json_response(
        {"request_id": event.request_id, "event_type": event.event_type, "status": event.status}
    )


ROUTES = (
    Route("GET", "/api/v1/billing/events", list_events),
    Route("GET", "/internal/operations/{request_id}", show_operation, Access.GATEWAY),
    Route("DELETE", "/internal/operations/{request_id}", cancel_operation, Access.GATEWAY),
)
