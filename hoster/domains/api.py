"""`/api/v1/deployments/{id}/domains`."""

from aiohttp import web
from pydantic import Field

from hoster.access import Route
from hoster.bodies import EmptyBody, StrictBody, read_body
from hoster.deployments.api import COLLECTION as DEPLOYMENTS
from hoster.deployments.api import owned
from hoster.domains.commands import DOMAIN_COMMANDS
from hoster.domains.store import DOMAIN_STORE, Domain
from hoster.paging import page_response, parse_page
from shared.clock import rfc3339

COLLECTION = DEPLOYMENTS + "/{id}/domains"


class NewDomainBody(StrictBody):
    hostname: str = Field(min_length=1, max_length=300)


async def list_domains(request: web.Request) -> web.Response:
    deployment = await owned(request)
    page = await request.app[DOMAIN_STORE].page(deployment.id, parse_page(request.query))
    return page_response(page, lambda domain: _members(request, domain))


async def claim(request: web.Request) -> web.Response:
    deployment = await owned(request)
    body = await read_body(request, NewDomainBody)
    domain, is_new = await request.app[DOMAIN_COMMANDS].claim(deployment, body.hostname)
    return web.json_response(_members(request, domain), status=201 if is_new else 200)


async def verify(request: web.Request) -> web.Response:
    deployment = await owned(request)
    await read_body(request, EmptyBody)
    domain = await request.app[DOMAIN_COMMANDS].verify(deployment, request.match_info["hostname"])
    return web.json_response(_members(request, domain))


async def remove(request: web.Request) -> web.Response:
    deployment = await owned(request)
    await request.app[DOMAIN_COMMANDS].remove(deployment, request.match_info["hostname"])
    return web.Response(status=204)


def _members(request: web.Request, domain: Domain) -> dict[str, object]:
    """`records` are the records to publish: either of them will do."""
    return {
        "hostname": domain.hostname,
        "status": domain.status.value,
        "records": request.app[DOMAIN_COMMANDS].challenge(domain).as_json(),
        "method": domain.method,
        "problem": domain.problem,
        "created_at": rfc3339(domain.claimed_at),
        "verified_at": None if domain.verified_at is None else rfc3339(domain.verified_at),
    }


ROUTES = (
    Route("GET", COLLECTION, list_domains),
    Route("POST", COLLECTION, claim),
    Route("DELETE", COLLECTION + "/{hostname}", remove),
    Route("POST", COLLECTION + "/{hostname}/verify", verify),
)
