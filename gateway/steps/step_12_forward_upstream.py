"""Step 12: hand the request to the relay, signed over the target as it is sent; a billed one is in the journal first."""

from gateway.metering.meter import Meter
from gateway.metering.records import Intent
from gateway.steps.step_07_check_rate_limit import AdmittedUser
from gateway.steps.step_11_rewrite_path import Rewritten
from shared import identity
from shared.clock import Clock
from shared.config import Secret
from shared.relay.director import Exchange, Forward


class Signer:
    """Signs what the gateway vouches for."""

    __slots__ = ("_clock", "_secret")

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self._secret = secret.reveal()
        self._clock = clock

    def signature(self, who: identity.Identity, request: identity.SignedRequest) -> bytes:
        return identity.sign(self._secret, who, request, int(self._clock.now())).encode()


def begin_intent(rewritten: Rewritten, admitted: AdmittedUser, meter: Meter, now: float) -> Intent:
    """Raises JournalUnavailable."""
    match = rewritten.bound.match
    principal = admitted.user.principal
    intent = Intent(
        id=match.head.request_id,
        user_id=principal.user_id,
        org_id=principal.org_id,
        key_id=principal.key_id,
        plan_id=admitted.plan.plan_id,
        route=match.route.name,
        upstream=rewritten.bound.upstream.name,
        method=match.head.method,
        path=match.target.path,
        period_name=admitted.claim.period.name,
        counted=admitted.standing is not None,
        created_at=int(now * 1e6) / 1_000_000,  # whole millionths: see `gateway.metering.records`
    )
    meter.begin(intent)
    return intent


def forward_upstream(rewritten: Rewritten, signer: Signer, exchange: Exchange) -> Forward:
    bound = rewritten.bound
    head = bound.match.head
    if bound.entitled is not None:
        signed = identity.SignedRequest(head.method, rewritten.target, head.request_id)
        signature = signer.signature(bound.entitled.identity, signed)
        rewritten.fields.append((b"X-Identity-Signature", signature))
    return Forward(
        upstream=bound.upstream.spec,
        target=rewritten.target,
        host=head.host or bound.upstream.spec.targets[0].host,
        fields=rewritten.fields,
        exchange=exchange,
        max_body=bound.match.route.max_body,
    )
