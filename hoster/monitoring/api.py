"""`/api/v1/deployments/{id}/monitoring`."""

import re

from aiohttp import web

from hoster.access import Route
from hoster.bodies import BodyInvalid, query_integer
from hoster.deployments.api import COLLECTION, owned
from hoster.deployments.model import Deployment
from hoster.deployments.moves import EVENTS_KEPT
from hoster.monitoring.questions import MONITOR, target_of
from hoster.monitoring.streams import STREAM_CARRIER, StreamQuestion, StreamUnavailable
from hoster.monitoring.together import PARTS, Part, Places
from hoster.nodes.model import Worker

_BASE = COLLECTION + "/{id}/monitoring"
_TAIL_MOST = 10_000
_TEXT = re.compile(r"[ -~]{1,200}")


async def health(request: web.Request) -> web.Response:
    return web.json_response(await request.app[MONITOR].health(await owned(request)))


async def stats(request: web.Request) -> web.Response:
    return web.json_response(await request.app[MONITOR].stats(await owned(request)))


async def logs(request: web.Request) -> web.Response:
    deployment = await owned(request)
    return web.json_response(await request.app[MONITOR].logs(deployment, _log_query(request)))


async def events(request: web.Request) -> web.Response:
    deployment = await owned(request)
    limit = query_integer(request.query, "limit", 50, (1, EVENTS_KEPT))
    return web.json_response(
        await request.app[MONITOR].events(deployment, request.query.get("type") or None, limit)
    )


async def stats_stream(request: web.Request) -> web.StreamResponse:
    return await _stream(request, "/stats/stream")


async def logs_stream(request: web.Request) -> web.StreamResponse:
    return await _stream(request, "/logs/stream")


async def events_stream(request: web.Request) -> web.StreamResponse:
    """The node's own events; changes of state that were decided here are in the list."""
    return await _stream(request, "/events/stream")


async def stream(request: web.Request) -> web.StreamResponse:
    """Log, numbers and events over one connection, for a page that shows all of them."""
    deployment = await owned(request)
    tail = query_integer(request.query, "tail", 100, (0, _TAIL_MOST))
    places = Places(request.headers.get("Last-Event-ID") or request.query.get("last_event_id"))
    questions = [_question_of(part, deployment, places, tail) for part in PARTS]
    return await request.app[STREAM_CARRIER].carry(request, await _placed_on(request, deployment), questions)


def _question_of(part: str, deployment: Deployment, places: Places, tail: int) -> StreamQuestion:
    place = places.of(part)
    query = {"tail": str(tail)} if part == "logs" else {}
    return StreamQuestion(
        deployment,
        target_of(f"/projects/{deployment.project_id}/{part}/stream", query),
        {} if place is None else {"Last-Event-ID": place},
        Part(part, places).feed,
        _from_first(deployment, f"/{part}/stream"),
    )


async def _stream(request: web.Request, path: str) -> web.StreamResponse:
    deployment = await owned(request)
    query = _log_query(request) if path.startswith("/logs") else {}
    last_seen = request.query.get("last_event_id")
    if last_seen:
        query["last_event_id"] = last_seen
    header = request.headers.get("Last-Event-ID")
    question = StreamQuestion(
        deployment,
        target_of(f"/projects/{deployment.project_id}{path}", query),
        {"Last-Event-ID": header} if header else {},
        from_first=_from_first(deployment, path),
    )
    return await request.app[STREAM_CARRIER].carry(request, await _placed_on(request, deployment), [question])


def _from_first(deployment: Deployment, path: str) -> str | None:
    """Of events: a log begins with its last lines anyway, and numbers are of now."""
    if path != "/events/stream":
        return None
    return target_of(f"/projects/{deployment.project_id}{path}", {"tail": str(EVENTS_KEPT)})


async def _placed_on(request: web.Request, deployment: Deployment) -> Worker:
    worker = await request.app[MONITOR].worker(deployment)
    if worker is None:
        raise StreamUnavailable
    return worker


def _log_query(request: web.Request) -> dict[str, str]:
    """The worker calls a container's name its service. A parameter without a value was not given. Raises BodyInvalid."""
    found: dict[str, str] = {}
    if request.query.get("tail"):
        found["tail"] = str(query_integer(request.query, "tail", 100, (0, _TAIL_MOST)))
    for ours, theirs in (("since", "since"), ("container", "service")):
        value = request.query.get(ours)
        if not value:
            continue
        if _TEXT.fullmatch(value) is None:
            raise BodyInvalid.of(ours, "is not readable")
        found[theirs] = value
    return found


ROUTES = (
    Route("GET", _BASE + "/health", health),
    Route("GET", _BASE + "/stats", stats),
    Route("GET", _BASE + "/logs", logs),
    Route("GET", _BASE + "/events", events),
    Route("GET", _BASE + "/stats/stream", stats_stream),
    Route("GET", _BASE + "/logs/stream", logs_stream),
    Route("GET", _BASE + "/events/stream", events_stream),
    Route("GET", _BASE + "/stream", stream),
)
