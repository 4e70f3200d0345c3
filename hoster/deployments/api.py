"""`/api/v1/deployments`."""

from typing import Literal, Self

from aiohttp import web
from pydantic import Field, model_validator

from hoster.access import Route
from hoster.bodies import EmptyBody, Name, ScalarField, StrictBody, query_choice, query_integer, read_body
from hoster.conditional import answer, permits
from hoster.deployments.changes import DEPLOYMENT_CHANGES, Change
from hoster.deployments.commands import (
    ACCEPTED,
    DEPLOYMENT_COMMANDS,
    Order,
    Performed,
)
from hoster.deployments.listing import Sought
from hoster.deployments.model import AppUrls, Deployment, Visibility
from hoster.deployments.owned import Check, DeploymentNotFound
from hoster.deployments.source_body import SourceBody
from hoster.deployments.store import DEPLOYMENT_STORE
from hoster.deployments.transitions import State
from hoster.deployments.waiting import WaitEnded, wait_for
from hoster.jobs.model import Volumes
from hoster.leaving import LEAVING
from hoster.paging import parse_page, written_page_response
from hoster.viewer import VIEWER
from shared.identity import EVENT_TYPE

APP_URLS = web.AppKey("app_urls", AppUrls)
COLLECTION = "/api/v1/deployments"
WAIT_MOST_S = 300
LISTED = tuple(state for state in State if state is not State.DELETED)


class WaitNotOver(Exception):
    """The state was not reached in time, but still may be."""


class WaitPointless(Exception):
    """The state will not be reached any more."""


class CreateBody(StrictBody):
    name: Name
    template_id: str | None = Field(default=None, max_length=100)
    source: SourceBody | None = None
    variables: dict[str, ScalarField] = Field(default={})
    node_id: str | None = Field(default=None, max_length=100)
    region: str | None = Field(default=None, max_length=100)
    visibility: Literal["public", "private"] = "public"
    start: bool = True

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.template_id is None) == (self.source is None):
            raise ValueError("needs either template_id or source")
        return self

    def order(self) -> Order:
        return Order(
            name=self.name.strip(),
            source=self.source.source() if self.source else str(self.template_id),
            variables=self.variables,
            visibility=Visibility(self.visibility),
            node_id=self.node_id,
            region=self.region,
            start=self.start,
        )


class ChangeBody(StrictBody):
    """A variable that is null goes back to the template's default; a password that is `***`, as it is shown, stays as it is."""

    name: Name | None = None
    visibility: Literal["public", "private"] | None = None
    template_revision: int | None = Field(default=None, ge=1, le=2**31)
    variables: dict[str, ScalarField | None] = Field(default={})

    def change(self) -> Change:
        return Change(
            name=None if self.name is None else self.name.strip(),
            visibility=None if self.visibility is None else Visibility(self.visibility),
            template_revision=self.template_revision,
            variables=self.variables,
        )


async def create(request: web.Request) -> web.Response:
    body = await read_body(request, CreateBody)
    performed = await request.app[DEPLOYMENT_COMMANDS].create(request[VIEWER], body.order())
    response = _performed(request, performed)
    response.headers["Location"] = f"{COLLECTION}/{performed.deployment.id}"
    return response


async def list_deployments(request: web.Request) -> web.Response:
    asked, urls = parse_page(request.query), request.app[APP_URLS]
    page = await request.app[DEPLOYMENT_STORE].page(request[VIEWER].user_id, asked, urls, _sought(request))
    return written_page_response(page)


def _sought(request: web.Request) -> Sought:
    """A parameter without a value was not given. Raises BodyInvalid."""
    status = State(query_choice(request.query, "status", "", LISTED)) if request.query.get("status") else None
    return Sought(name=request.query.get("q", "").strip() or None, status=status)


async def show(request: web.Request) -> web.Response:
    return _shown(request, await owned(request))


async def change(request: web.Request) -> web.Response:
    deployment = await owned(request)
    body = await read_body(request, ChangeBody)
    changes = request.app[DEPLOYMENT_CHANGES]
    return _shown(
        request, await changes.apply(request[VIEWER], deployment.id, body.change(), as_read(request))
    )


async def start(request: web.Request) -> web.Response:
    await _check_nothing_said(request)
    commands = request.app[DEPLOYMENT_COMMANDS]
    return _performed(request, await commands.start(request[VIEWER], _id(request), as_read(request)))


async def stop(request: web.Request) -> web.Response:
    await _check_nothing_said(request)
    commands = request.app[DEPLOYMENT_COMMANDS]
    return _performed(request, await commands.stop(request[VIEWER], _id(request), as_read(request)))


async def restart(request: web.Request) -> web.Response:
    await _check_nothing_said(request)
    commands = request.app[DEPLOYMENT_COMMANDS]
    response = _shown(request, await commands.restart(request[VIEWER], _id(request), as_read(request)))
    response.set_status(ACCEPTED)
    return response


async def delete(request: web.Request) -> web.Response:
    volumes = Volumes(query_choice(request.query, "volumes", "keep", tuple(Volumes)))
    commands = request.app[DEPLOYMENT_COMMANDS]
    performed = await commands.delete(request[VIEWER], _id(request), volumes, as_read(request))
    response = _performed(request, performed)
    response.set_status(ACCEPTED)  # a delete is accepted in every state, also while it is under way
    return response


async def wait(request: web.Request) -> web.Response:
    deployment = await _awaited(request)
    target = State(query_choice(request.query, "status", State.RUNNING.value, tuple(State)))
    timeout = query_integer(request.query, "timeout", 60, (0, WAIT_MOST_S))
    store = request.app[DEPLOYMENT_STORE]
    match await wait_for(store, deployment.id, target, timeout, request.app[LEAVING]):
        case WaitEnded.NOT_YET:
            raise WaitNotOver
        case WaitEnded.IMPOSSIBLE:
            raise WaitPointless
        case WaitEnded.REACHED:
            return _shown(request, await store.get_also_deleted(deployment.id))


async def _awaited(request: web.Request) -> Deployment:
    """Who waits for the end of a deployment is told of it, also when it came before the question. Raises DeploymentNotFound."""
    if request.query.get("status") != State.DELETED.value:
        return await owned(request)
    store = request.app[DEPLOYMENT_STORE]
    deployment = await store.find_also_deleted(_id(request), request[VIEWER].user_id)
    if deployment is None:
        raise DeploymentNotFound
    return deployment


async def owned(request: web.Request) -> Deployment:
    """The deployment that the path names; raises DeploymentNotFound for a stranger's as for none."""
    deployment = await request.app[DEPLOYMENT_STORE].find(_id(request), request[VIEWER].user_id)
    if deployment is None:
        raise DeploymentNotFound
    return deployment


async def _check_nothing_said(request: web.Request) -> None:
    """To a stranger the deployment is not there, whatever is said. Raises DeploymentNotFound, BodyMalformed or BodyInvalid."""
    if request.can_read_body:
        await owned(request)
        await read_body(request, EmptyBody)


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _shown(request: web.Request, deployment: Deployment) -> web.Response:
    return answer(request, deployment.as_json(request.app[APP_URLS]))


def as_read(request: web.Request) -> Check:
    """That the deployment is still as the caller has read it (`If-Match`)."""
    urls = request.app[APP_URLS]
    return permits(request, lambda deployment: deployment.as_json(urls))


def _performed(request: web.Request, performed: Performed) -> web.Response:
    response = _shown(request, performed.deployment)
    if performed.event_type is not None:
        response.set_status(ACCEPTED)
        response.headers[EVENT_TYPE] = performed.event_type
    return response


ROUTES = (
    Route("POST", COLLECTION, create),
    Route("GET", COLLECTION, list_deployments),
    Route("GET", COLLECTION + "/{id}", show),
    Route("PATCH", COLLECTION + "/{id}", change),
    Route("DELETE", COLLECTION + "/{id}", delete),
    Route("POST", COLLECTION + "/{id}/start", start),
    Route("POST", COLLECTION + "/{id}/stop", stop),
    Route("POST", COLLECTION + "/{id}/restart", restart),
    Route("GET", COLLECTION + "/{id}/wait", wait),
)
