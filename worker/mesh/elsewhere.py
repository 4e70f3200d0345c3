"""Requests for hosts of other nodes: admitted here by what the registry says, and again there by what that node knows.

The visitor's own token goes along and is consumed by the node that runs the app, so no node has to believe another about who somebody is.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.relay.director import (
    Decision,
    Ending,
    Field,
    Forward,
    OngoingAnswer,
    Outcome,
    RequestHead,
    ResponseHead,
    Target,
    UpstreamSpec,
)
from worker.mesh.admission import check_organisation, needs_token
from worker.mesh.announcing import HopKeys
from worker.mesh.claims import Claims
from worker.mesh.credential import find_credential, for_peer
from worker.mesh.errors import UnknownHost
from worker.mesh.hop import FIELD, Hop, Line, written
from worker.mesh.hop import read as read_hop
from worker.mesh.peers import Peers
from worker.mesh.registry import Entry
from worker.mesh.table import Found, ProjectRoute
from worker.mesh.tokens import MeshTokens

MARGIN_S = 5.0
"""A peer that gives up on its app says so itself, which is the better answer."""

_LOWERED = FIELD.lower()


@dataclass(frozen=True, slots=True)
class _Remote:
    host: str
    entry: Entry
    found: Found


class Elsewhere:
    """`response_timeout_s` is how long an app may think before its response head."""

    def __init__(
        self,
        peers: Peers,
        tokens: MeshTokens,
        hop_keys: HopKeys,
        clock: Clock,
        internal_suffix: str,
        response_timeout_s: float,
    ) -> None:
        self._peers = peers
        self._tokens = tokens
        self._hop_keys = hop_keys
        self._clock = clock
        self._internal_suffix = "." + internal_suffix
        self._response_timeout_s = response_timeout_s + MARGIN_S
        self._upstreams: dict[Target, UpstreamSpec] = {}

    def direct(self, head: RequestHead, host: str) -> Decision | Awaitable[Decision]:
        """Raises MeshRefusal (from the call or from the awaitable)."""
        if head.first(_LOWERED) is not None:
            # A peer believed that it is here. It is not, and is looked for no further.
            raise UnknownHost
        entry = self._peers.find(self._registered(host))
        if entry is None or isinstance(entry, Entry):
            return self._admit(head, self._remote(host, entry))
        return self._direct_later(head, host, entry)

    def hop_of(self, head: RequestHead) -> Hop | None:
        """What the node that passed this request on says of it; None when no node did."""
        value = head.first(_LOWERED)
        return (
            None if value is None else read_hop(value, _line(head), self._hop_keys.now(), self._clock.now())
        )

    async def _direct_later(self, head: RequestHead, host: str, pending: Awaitable[Entry | None]) -> Decision:
        decision = self._admit(head, self._remote(host, await pending))
        return await decision if isinstance(decision, Awaitable) else decision

    def _registered(self, host: str) -> str:
        """`{service}.{project}.<internal suffix>` is found under its project's name."""
        if not host.endswith(self._internal_suffix):
            return host
        return host.removesuffix(self._internal_suffix).rsplit(".", 1)[-1] + self._internal_suffix

    def _remote(self, host: str, entry: Entry | None) -> _Remote:
        if entry is None:
            raise UnknownHost
        route = ProjectRoute(
            project_id=entry.project_id,
            org_id=entry.org_id,
            visibility=entry.visibility,
            public_hosts=frozenset(),
            web_service="",
            backends={},
            allowed_orgs=entry.allowed_orgs,
        )
        return _Remote(host, entry, Found(route, None, internal=host.endswith(self._internal_suffix)))

    def _admit(self, head: RequestHead, remote: _Remote) -> Decision | Awaitable[Decision]:
        if not needs_token(remote.found):
            return self._forward(head, remote)
        claims = self._tokens.verify(find_credential(head.fields).token)
        if isinstance(claims, Claims):
            check_organisation(remote.found, claims)
            return self._forward(head, remote)
        return self._admit_later(head, remote, claims)

    async def _admit_later(self, head: RequestHead, remote: _Remote, pending: Awaitable[Claims]) -> Decision:
        check_organisation(remote.found, await pending)
        return self._forward(head, remote)

    def _forward(self, head: RequestHead, remote: _Remote) -> Forward:
        return Forward(
            upstream=self._upstream(Target(remote.entry.worker_ip, remote.entry.port)),
            target=head.target,
            host=head.host,
            fields=[*for_peer(head.fields), (FIELD, self._hop(head))],
            exchange=_PassedOn(self._peers, self._registered(remote.host)),
            max_body=None,
        )

    def _upstream(self, peer: Target) -> UpstreamSpec:
        """One pool for each peer, whoever's requests they are: each carries its own host and token."""
        spec = self._upstreams.get(peer)
        if spec is None:
            spec = self._upstreams[peer] = UpstreamSpec(
                name="peer", targets=(peer,), response_timeout=self._response_timeout_s
            )
        return spec

    def _hop(self, head: RequestHead) -> bytes:
        keys = self._hop_keys.now()
        # Without a key (no registry has answered yet) it is only a guard against loops.
        hop = Hop(head.peer.host, head.request_id)
        return written(hop, _line(head), keys[0], self._clock.now()) if keys else b"1"


class _PassedOn:
    """A `shared.relay.director.Exchange`. The node that runs the app counts the request, this one does not."""

    __slots__ = ("_host", "_peers")

    def __init__(self, peers: Peers, host: str) -> None:
        self._peers = peers
        self._host = host

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return head.fields

    def fault_fields(self) -> Sequence[Field]:
        return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        """As in the node that runs the app."""

    def finished(self, outcome: Outcome) -> None:
        if outcome.ending is Ending.UPSTREAM_FAILED:
            self._peers.forget(self._host)


def _line(head: RequestHead) -> Line:
    return Line(head.method, head.host, head.target)
