"""The question to an upstream whether it performed a request, and what its answer is worth.

| the upstream answers                       | means                                                             |
|--------------------------------------------|-------------------------------------------------------------------|
| 200 `{"event_type", "status"}`             | it performed the request                                          |
| 410                                        | it did not, and it will refuse the request if it still comes      |
| 404 with `"cancellable": true` in its body | not yet; `DELETE` of the same path answers 200 or 410, for good   |
| any other 404                              | not yet: the request may still be on its way, or wait for its turn |

Rules: the targets of one upstream answer from the same books, so the first that answers is believed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from gateway.routes.route import Upstream
from gateway.upstream_client import Reply, UpstreamClient, UpstreamUnreachable
from shared.clock import Clock
from shared.config import Secret
from shared.identity import ANONYMOUS, REQUEST_ID, SIGNATURE, SignedRequest, sign
from shared.relay.director import Target

_ASK_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Performed:
    event_type: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class NotPerformed:
    """For good."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not so far; that can change."""


Answer = Performed | NotPerformed | NotYet


class Unanswered(Exception):
    """The upstream did not say; it has to be asked again."""


class Inquiry:
    """Asks one upstream about one request, in the gateway's own name."""

    def __init__(
        self, client: UpstreamClient, secret: Secret, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._client = client
        self._secret = secret
        self._clock = clock
        self._new_id = new_id

    async def ask(self, upstream: Upstream, request_id: str) -> Answer:
        """Raises Unanswered."""
        path = (upstream.reconcile or "").replace("{request_id}", request_id)
        failure = "no target"
        for target in upstream.spec.targets:
            try:
                return await self._ask(target, path)
            except (UpstreamUnreachable, Unanswered) as error:
                failure = str(error)
        raise Unanswered(failure)

    async def _ask(self, target: Target, path: str) -> Answer:
        reply = await self._send("GET", target, path)
        if reply.status == HTTPStatus.NOT_FOUND:
            if _members(reply).get("cancellable") is not True:
                return NotYet()
            reply = await self._send("DELETE", target, path)
        if reply.status == HTTPStatus.GONE:
            return NotPerformed()
        if reply.status != HTTPStatus.OK:
            raise Unanswered(f"status {reply.status}")
        return _performed(reply)

    async def _send(self, method: str, target: Target, path: str) -> Reply:
        own_id = self._new_id()
        signed = SignedRequest(method, path, own_id)
        signature = sign(self._secret.reveal(), ANONYMOUS, signed, int(self._clock.now()))
        headers = {REQUEST_ID: own_id, SIGNATURE: signature}
        return await self._client.ask(method, target, path, headers, _ASK_WITHIN_S)


def _performed(reply: Reply) -> Performed:
    members = _members(reply)
    if not members:
        raise Unanswered("the body is not a JSON object")
    event_type, status = members.get("event_type"), members.get("status")
    return Performed(
        event_type if isinstance(event_type, str) else None,
        status if isinstance(status, int) and 100 <= status <= 599 else None,
    )


def _members(reply: Reply) -> Mapping[str, object]:
    """Empty when the body is no JSON object."""
    try:
        members = json.loads(reply.body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
