"""The one way in: APIGate's signature is verified here, for every route that is not opened by name.

Rules:
- A request that carries any identity header must carry a valid signature, whatever the route.
- A header given twice is not an identity: which of the two was signed cannot be known.
- Routes of APIGate itself want a signature over an empty identity; to anyone else they do not exist.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from hoster.access import Access, AccessTable, Handler
from hoster.deployments.limits import parse_limits
from hoster.viewer import VIEWER, Viewer
from shared import identity
from shared.clock import Clock
from shared.config import Secret
from shared.identity import ANONYMOUS, Identity, IdentityUnverified, SignedRequest

_CARRIERS = (
    identity.USER_ID,
    identity.ORG_ID,
    identity.PLAN_ID,
    identity.PLAN_LIMITS,
    identity.KEY_ID,
    identity.SIGNATURE,
)

Introduce = Callable[[Viewer], Awaitable[None]]
"""Makes sure that there is a user row."""


class IdentityRequired(Exception):
    """This route needs to know who is asking."""


class NotForYou(Exception):
    """A route of APIGate, asked for by someone else: it does not exist."""


def identity_middleware(
    access: AccessTable, secret: Secret, clock: Clock, introduce: Introduce, new_request_id: Callable[[], str]
) -> Middleware:
    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is not None:
            return await handler(request)  # no such path or method: the router's own 404 or 405
        wanted = access.of(request.match_info.route)
        try:
            verified = _verified(request, secret, clock.now())
        except IdentityUnverified:
            if wanted is Access.GATEWAY:
                raise NotForYou from None
            raise
        if wanted is Access.GATEWAY and verified != ANONYMOUS:
            raise NotForYou
        if wanted is Access.VIEWER:
            if verified is None or not verified.user_id:
                raise IdentityRequired
            viewer = _viewer(verified, request.headers.get(identity.REQUEST_ID) or new_request_id())
            await introduce(viewer)
            request[VIEWER] = viewer
        return await handler(request)

    return admit


def _verified(request: web.Request, secret: Secret, now: float) -> Identity | None:
    """None when the request carries no identity at all; raises IdentityUnverified."""
    values = {name: request.headers.getall(name, []) for name in (*_CARRIERS, identity.REQUEST_ID)}
    if not any(values[name] for name in _CARRIERS):
        return None
    if any(len(found) > 1 for found in values.values()):
        raise IdentityUnverified("an identity header is given twice")
    single = {name: found[0] if found else "" for name, found in values.items()}
    claimed = Identity(
        user_id=single[identity.USER_ID],
        org_id=single[identity.ORG_ID],
        plan_id=single[identity.PLAN_ID],
        plan_limits=single[identity.PLAN_LIMITS],
        key_id=single[identity.KEY_ID],
    )
    signed = SignedRequest(request.method, request.raw_path, single[identity.REQUEST_ID])
    identity.verify(secret.reveal(), single[identity.SIGNATURE], claimed, signed, now)
    return claimed


def _viewer(verified: Identity, request_id: str) -> Viewer:
    return Viewer(
        user_id=verified.user_id,
        org_id=verified.org_id,
        plan_id=verified.plan_id,
        limits=parse_limits(verified.plan_limits),
        request_id=request_id,
    )
