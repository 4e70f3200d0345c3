"""The mesh's answer to each request: which app a Host name reaches, and who may reach it.

Order: host, token, organisation, and only then whether the project runs, so that a stranger learns nothing of that.
"""

from collections.abc import Awaitable, Sequence
from weakref import WeakKeyDictionary

from shared.identity import ORG_ID, REQUEST_ID, USER_ID
from shared.problem import Problem
from shared.relay.director import (
    Decision,
    FaultKind,
    Field,
    Forward,
    OngoingAnswer,
    Outcome,
    RequestHead,
    Respond,
    ResponseHead,
    Target,
    UpstreamSpec,
)
from worker.mesh.admission import check_organisation, needs_token
from worker.mesh.claims import Claims
from worker.mesh.credential import MeshCredential, find_credential, without_ours
from worker.mesh.elsewhere import Elsewhere
from worker.mesh.errors import MeshRefusal, MissingToken, ProjectUnavailable, UnknownHost
from worker.mesh.hold import Hold
from worker.mesh.hop import Hop
from worker.mesh.host import host_name
from worker.mesh.occupancy import Occupancy
from worker.mesh.problems import TABLE, respond
from worker.mesh.table import Backend, Found, MeshTable
from worker.mesh.tokens import MeshTokens
from worker.mesh.traffic import Traffic

RESPONSE_TIMEOUT_S = 300.0


class MeshDirector:
    """A `shared.relay.director.Director`. `response_timeout_s` is how long an app may think before its response head.

    `elsewhere` knows the hosts of other nodes; None when there are none. `occupancy` vouches for connections to containers; None where
    nothing but containers of one's own can be reached.
    """

    def __init__(
        self,
        table: MeshTable,
        tokens: MeshTokens,
        traffic: Traffic,
        response_timeout_s: float = RESPONSE_TIMEOUT_S,
        elsewhere: Elsewhere | None = None,
        occupancy: Occupancy | None = None,
    ) -> None:
        self._table = table
        self._tokens = tokens
        self._traffic = traffic
        self._response_timeout_s = response_timeout_s
        self._elsewhere = elsewhere
        self._occupancy = occupancy
        # A backend that goes takes its spec along, so a later one at the same address never meets an old connection.
        self._upstreams: WeakKeyDictionary[Backend, UpstreamSpec] = WeakKeyDictionary()

    def direct(self, head: RequestHead) -> Decision | Awaitable[Decision]:
        try:
            host = host_name(head.host)
            found = self._table.find(host)
            if found is None:
                return self._direct_elsewhere(head, host)
            if not needs_token(found):
                return self._pass_on(head, found, None, None)
            credential = find_credential(head.fields)
            claims = self._tokens.verify(credential.token)
            if isinstance(claims, Claims):
                return self._admit(head, found, credential, claims)
        except MeshRefusal as refusal:
            return self._refuse(head, refusal)
        return self._direct_later(head, credential, claims)

    def fault(self, kind: FaultKind, status: int, detail: str, request_id: str) -> Respond:
        return respond(Problem(status, kind.value, detail), request_id)

    async def _direct_later(
        self, head: RequestHead, credential: MeshCredential, pending: Awaitable[Claims]
    ) -> Decision:
        try:
            claims = await pending
            # Looked up again: what was found before the wait may be gone, or belong to someone else by now.
            decision = self._admit(head, self._find(head), credential, claims)
        except MeshRefusal as refusal:
            return self._refuse(head, refusal)
        return decision if isinstance(decision, Forward | Respond) else await decision

    def _direct_elsewhere(self, head: RequestHead, host: str) -> Decision | Awaitable[Decision]:
        if self._elsewhere is None:
            raise UnknownHost
        decision = self._elsewhere.direct(head, host)
        return self._guarded(head, decision) if isinstance(decision, Awaitable) else decision

    async def _guarded(self, head: RequestHead, pending: Awaitable[Decision]) -> Decision:
        try:
            return await pending
        except MeshRefusal as refusal:
            return self._refuse(head, refusal)

    def _find(self, head: RequestHead) -> Found:
        found = self._table.find(host_name(head.host))
        if found is None:
            raise UnknownHost
        return found

    def _admit(
        self, head: RequestHead, found: Found, credential: MeshCredential, claims: Claims
    ) -> Decision | Awaitable[Decision]:
        check_organisation(found, claims)
        return self._pass_on(head, found, credential, claims)

    def _pass_on(
        self, head: RequestHead, found: Found, credential: MeshCredential | None, claims: Claims | None
    ) -> Decision | Awaitable[Decision]:
        hold = found.route.hold
        if found.backend is None and hold is not None and not hold.is_full:
            return self._pass_on_later(head, hold, credential, claims)
        return self._forward(head, found, credential, claims)

    async def _pass_on_later(
        self, head: RequestHead, hold: Hold, credential: MeshCredential | None, claims: Claims | None
    ) -> Decision:
        await hold.wait()
        try:
            # As after the wait for a key: everything may have changed.
            found = self._find(head)
            if claims is not None:
                check_organisation(found, claims)
            elif needs_token(found):
                raise MissingToken
            return self._forward(head, found, credential, claims)
        except MeshRefusal as refusal:
            return self._refuse(head, refusal)

    def _forward(
        self, head: RequestHead, found: Found, credential: MeshCredential | None, claims: Claims | None
    ) -> Forward:
        if found.backend is None:
            raise ProjectUnavailable
        fields = without_ours(head.fields, credential)
        hop = None if self._elsewhere is None else self._elsewhere.hop_of(head)
        fields += _our_fields(head, claims, hop)
        # From choosing the backend (`_find`) to counting the request in there is no await: the drain that follows a switch
        # therefore waits for every request that chose the old backend.
        found.backend.enter()
        return Forward(
            upstream=self._upstream(found.route.project_id, found.backend),
            target=head.target,
            host=head.host,
            fields=fields,
            exchange=MeshExchange(found.route.project_id, found.backend, self._traffic),
            max_body=None,
        )

    def _refuse(self, head: RequestHead, refusal: MeshRefusal) -> Respond:
        problem = TABLE[type(refusal)]
        found = self._table.find(host_name(head.host))
        if found is not None:
            self._traffic.refused(found.route.project_id, problem.status)
        return respond(problem, head.request_id)

    def _upstream(self, project_id: str, backend: Backend) -> UpstreamSpec:
        spec = self._upstreams.get(backend)
        if spec is None:
            spec = self._upstreams[backend] = UpstreamSpec(
                # Pools are shared by equal specs: project, release and start in the name keep tenants and containers apart.
                name=f"{project_id}/{backend.service}/{backend.release}/{backend.started_at}",
                targets=(Target(backend.address, backend.port),),
                response_timeout=self._response_timeout_s,
                vouch=None if self._occupancy is None else self._occupancy.of(backend),
            )
        return spec


class MeshExchange:
    """A `shared.relay.director.Exchange`: counts the request out of its backend and into the project's numbers."""

    __slots__ = ("_backend", "_project_id", "_traffic")

    def __init__(self, project_id: str, backend: Backend, traffic: Traffic) -> None:
        self._project_id = project_id
        self._backend = backend
        self._traffic = traffic

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return head.fields

    def fault_fields(self) -> Sequence[Field]:
        return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        """A visitor's token is good until it expires, and what was begun with it to its end."""

    def finished(self, outcome: Outcome) -> None:
        self._backend.leave()
        self._traffic.forwarded(
            self._project_id,
            outcome.status,
            outcome.request_bytes,
            outcome.response_bytes,
            outcome.latency_ms,
        )


def _our_fields(head: RequestHead, claims: Claims | None, hop: Hop | None) -> list[Field]:
    """`hop` is what the node that passed the request on says of the visitor."""
    fields = [
        (b"X-Forwarded-For", (head.peer.host if hop is None else hop.client).encode()),
        # The mesh listens in clear; TLS ends in front of it, and what that proxy says of itself is not believed here.
        (b"X-Forwarded-Proto", b"http"),
        (b"X-Forwarded-Host", head.host.encode()),
        (REQUEST_ID.encode(), (head.request_id if hop is None else hop.request_id).encode()),
    ]
    if claims is not None:
        fields.append((ORG_ID.encode(), claims.org_id.encode()))
        if claims.user_id:
            fields.append((USER_ID.encode(), claims.user_id.encode()))
    return fields
