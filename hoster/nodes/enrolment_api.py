"""`/nodes/v1`: what workers call, with a join token first and their signature after that."""

import json
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from hoster.access import Access, Route
from hoster.bodies import BodyInvalid, BodyMalformed, faults_of
from hoster.nodes.api import NODE_COMMANDS
from hoster.nodes.bodies import HeartbeatBody, JoinBody, WorkerBody
from hoster.nodes.commands import SignedBeat
from shared import signature
from shared.signature import Command

NODE_ID = "X-Node-ID"

Kind = TypeVar("Kind", bound=WorkerBody)


async def join(request: web.Request) -> web.Response:
    body = _parse(await request.read(), JoinBody)
    enrolment = await request.app[NODE_COMMANDS].join(body)
    return web.json_response(
        {"node_id": enrolment.node_id, "secret": enrolment.secret},
        status=201,
        headers={"Cache-Control": "no-store"},
    )


async def heartbeat(request: web.Request) -> web.Response:
    raw = await request.read()
    beat = SignedBeat(
        request.headers.get(NODE_ID, ""),
        request.headers.get(signature.HEADER, ""),
        Command(request.method, request.raw_path, raw),
    )
    await request.app[NODE_COMMANDS].authenticate(beat)
    await request.app[NODE_COMMANDS].beat(beat.node_id, _parse(raw, HeartbeatBody))
    return web.json_response({})


def _parse(raw: bytes, kind: type[Kind]) -> Kind:
    """Raises BodyMalformed or BodyInvalid."""
    try:
        return kind.model_validate(json.loads(raw))
    except ValidationError as error:
        raise BodyInvalid(faults_of(error)) from None
    except (ValueError, RecursionError) as error:
        raise BodyMalformed("The body is not valid JSON.") from error


ROUTES = (
    Route("POST", "/nodes/v1/join", join, Access.NODE),
    Route("POST", "/nodes/v1/heartbeat", heartbeat, Access.NODE),
)
