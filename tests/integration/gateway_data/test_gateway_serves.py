"""The whole gateway: register, sign in, use, see it metered."""

import asyncio
import time

import aiohttp

from shared.identity import Identity, SignedRequest, verify


async def test_a_billed_operation_is_seen_in_the_usage(start_gateway, sign_up, upstream, redis_url) -> None:
    gateway = await start_gateway(redis_url)
    ada = await sign_up(gateway)

    status, headers, _ = await ada.create()

    assert status == 202
    assert headers["X-Quota-Limit"] == "1000"
    assert headers["X-Quota-Used"] == "1"
    events = await ada.get("/mod/usage/events")
    assert [event["id"] for event in events["items"]] == list(upstream.performed)
    assert events["items"][0]["event_type"] == "deployment.created"
    usage = await ada.get("/mod/usage")
    assert usage["totals"] == [{"event_type": "deployment.created", "count": 1, "cost": 1.0}]
    assert usage["quota"]["used"] == 1
