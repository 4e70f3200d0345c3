"""Set when the service was told to stop: streams and waits end, `/health` says so."""

import asyncio

from aiohttp import web

LEAVING = web.AppKey("leaving", asyncio.Event)
