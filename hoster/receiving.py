"""Nothing is begun before all of a request is here: an order that breaks off in its middle never was.

Once the service was told to stop, aiohttp reads no more from open connections: who is still sending is told at once to send it again,
instead of being kept until the time for draining is over.
"""

import asyncio

from aiohttp import web

from hoster.access import Handler
from hoster.leaving import LEAVING

BODY_MOST_S = 60.0


class ServiceLeaving(Exception):
    """The service was told to stop before all of the request was here."""


class BodyTooSlow(Exception):
    """Not all of the body came in time."""


@web.middleware
async def whole_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Later readers find what was read here."""
    if request.can_read_body and not request.content.is_eof():
        await _receive(request)
    return await handler(request)


async def _receive(request: web.Request) -> None:
    """Raises ServiceLeaving, BodyTooSlow, or what reading does."""
    reading = asyncio.create_task(request.read(), name="body")
    leaving = asyncio.create_task(request.app[LEAVING].wait(), name="leaving")
    try:
        await asyncio.wait({reading, leaving}, timeout=BODY_MOST_S, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
        elif leaving.done():
            raise ServiceLeaving
        else:
            raise BodyTooSlow
    finally:
        for task in (reading, leaving):
            task.cancel()
        await asyncio.gather(reading, leaving, return_exceptions=True)
