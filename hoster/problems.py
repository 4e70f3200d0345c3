"""Every error of the domain, as the problem that its caller sees."""

from hoster.billing.api import OperationGone, OperationNotFound
from hoster.billing.store import OperationCancelled
from hoster.bodies import BodyInvalid, BodyMalformed
from hoster.conditional import PreconditionFailed
from hoster.deployments.api import WaitNotOver, WaitPointless
from hoster.deployments.commands import RequestIdReused
from hoster.deployments.limits import PlanLimitReached, PlanLimitsUnreadable
from hoster.deployments.owned import DeploymentNotFound
from hoster.deployments.placement import PASSING_REFUSALS, EngineUnavailable, NoNodeAvailable
from hoster.deployments.transitions import InvalidTransition, State
from hoster.domains.commands import DomainNotFound, DomainUnproved, HostnameTaken, TooManyDomains
from hoster.domains.resolver import DnsUnavailable
from hoster.idempotency.middleware import IdempotencyKeyInUse
from hoster.idempotency.store import IdempotencyKeyReused
from hoster.identity_middleware import IdentityRequired, NotForYou
from hoster.monitoring.streams import StreamUnavailable
from hoster.nodes.bootstrap.bundle import BundleMissing
from hoster.nodes.bootstrap.commands import BootstrapUnderWay, NodeJoinedAlready
from hoster.nodes.commands import JoinTokenInvalid, NodeNotFound, PublicNodeRefused
from hoster.nodes.loss import NodeIsOnline
from hoster.nodes.store import NodeInUse
from hoster.nodes.worker_client import NodeUnreachable
from hoster.receiving import BodyTooSlow, ServiceLeaving
from hoster.releases.api import DeployNotFound
from hoster.ssh_keys.commands import SshKeyInUse, SshKeyNotFound
from hoster.templates.commands import TemplateNotFound
from hoster.web.pages import ConsoleNotBuilt
from shared.database import DatabaseBusy, DatabaseFull
from shared.identity import IdentityUnverified
from shared.problem import Problem
from shared.problem_middleware import ProblemTable
from shared.signature import SignatureInvalid

_RETRY = {"Retry-After": "5"}
_RETRY_LATER = {"Retry-After": "30"}
_PASSING_STATES = frozenset({State.SCHEDULED, State.STARTING, State.STOPPING})


def _said(status: int, code: str, detail: str) -> Problem:
    return Problem(status, code, detail)


def _invalid(error: Exception) -> Problem:
    faults = error.faults if isinstance(error, BodyInvalid) else ()
    return Problem(422, "validation_failed", "Some fields cannot be accepted.", errors=faults)


def _limit_reached(error: Exception) -> Problem:
    extra = (
        {"limit": error.limit, "used": error.used, "max": error.maximum}
        if isinstance(error, PlanLimitReached)
        else {}
    )
    return Problem(403, "plan_limit_reached", str(error), extra=extra)


def _no_node(error: Exception) -> Problem:
    reasons = error.reasons if isinstance(error, NoNodeAvailable) else {}
    counts = {reason.value: count for reason, count in reasons.items()}
    headers = _RETRY_LATER if PASSING_REFUSALS & set(reasons) else {}
    return Problem(409, "no_node_available", str(error), extra={"reasons": counts}, headers=headers)


def _invalid_transition(error: Exception) -> Problem:
    if not isinstance(error, InvalidTransition):
        return Problem(409, "invalid_transition", str(error))
    headers = _RETRY if error.state in _PASSING_STATES else {}
    return Problem(
        409, "invalid_transition", str(error), extra={"status_now": error.state.value}, headers=headers
    )


def _hostname_taken(error: Exception) -> Problem:
    extra = {"records": error.records} if isinstance(error, HostnameTaken) else {}
    return Problem(409, "hostname_taken", str(error), extra=extra)


def _unproved(error: Exception) -> Problem:
    extra = {"records": error.records, "found": error.found} if isinstance(error, DomainUnproved) else {}
    return Problem(409, "domain_unverified", str(error), extra=extra, headers=_RETRY_LATER)


PROBLEMS: ProblemTable = {
    BodyMalformed: lambda error: _said(400, "bad_request", str(error)),
    BodyInvalid: _invalid,
    PlanLimitsUnreadable: lambda error: _said(400, "plan_limits_unreadable", str(error)),
    IdentityUnverified: lambda _: _said(
        401, "identity_unverified", "The identity of this request is not verified."
    ),
    IdentityRequired: lambda _: _said(401, "identity_required", "This needs a signed-in user."),
    SignatureInvalid: lambda _: _said(
        401, "invalid_signature", "The signature of this request is not valid."
    ),
    JoinTokenInvalid: lambda _: _said(401, "invalid_join_token", "This join token is unknown or was used."),
    PlanLimitReached: _limit_reached,
    NotForYou: lambda _: _said(404, "not_found", "There is nothing at this path."),
    OperationNotFound: lambda _: Problem(
        404, "operation_not_found", "No operation has this request id.", extra={"cancellable": True}
    ),
    OperationGone: lambda _: _said(410, "operation_cancelled", "This request id was cancelled."),
    # Not 409: that would be kept as the answer to an Idempotency-Key, under which the operation can still be asked for.
    OperationCancelled: lambda _: Problem(
        503,
        "operation_cancelled",
        "This request was given up before it was performed. Send it again.",
        headers=_RETRY,
    ),
    DeploymentNotFound: lambda _: _said(404, "deployment_not_found", "There is no such deployment."),
    DeployNotFound: lambda _: _said(404, "deploy_not_found", "The node has no such deploy."),
    PreconditionFailed: lambda _: _said(
        412, "precondition_failed", "This has changed since you read it. Read it again, then decide."
    ),
    DomainNotFound: lambda _: _said(404, "domain_not_found", "This deployment has no such domain."),
    NodeNotFound: lambda _: _said(404, "node_not_found", "There is no such node."),
    SshKeyNotFound: lambda _: _said(404, "ssh_key_not_found", "There is no such SSH key."),
    TemplateNotFound: lambda _: _said(404, "template_not_found", "There is no such template."),
    WaitNotOver: lambda _: _said(408, "not_yet", "The deployment has not reached this status yet."),
    WaitPointless: lambda _: _said(
        409, "unreachable_status", "The deployment will not reach this status any more."
    ),
    InvalidTransition: _invalid_transition,
    NoNodeAvailable: _no_node,
    PublicNodeRefused: lambda _: _said(
        403, "public_node_refused", "Only the operator's own nodes take other customers' deployments."
    ),
    HostnameTaken: _hostname_taken,
    DomainUnproved: _unproved,
    TooManyDomains: lambda _: _said(
        409, "too_many_domains", "This deployment has as many domains as it may."
    ),
    NodeInUse: lambda _: _said(409, "node_in_use", "Deployments still live on this node."),
    NodeIsOnline: lambda _: _said(409, "node_online", "This node is not lost: it sends heartbeats."),
    SshKeyInUse: lambda _: _said(
        409, "ssh_key_in_use", "A deployment is built with this key, or a worker is being installed with it."
    ),
    NodeJoinedAlready: lambda _: _said(409, "node_joined_already", "This node has a worker already."),
    BootstrapUnderWay: lambda _: _said(
        409, "bootstrap_under_way", "A worker is being installed on it right now."
    ),
    BundleMissing: lambda _: _said(
        409,
        "bootstrap_unavailable",
        "This installation has not got the worker's source; use the join command.",
    ),
    RequestIdReused: lambda _: _said(409, "request_id_reused", "Another operation has this request id."),
    BodyTooSlow: lambda _: _said(408, "body_too_slow", "Not all of the body came in time."),
    ServiceLeaving: lambda _: Problem(
        503,
        "service_stopping",
        "The service is about to stop, and nothing was done. Send it again.",
        headers=_RETRY,
    ),
    IdempotencyKeyInUse: lambda _: Problem(
        409,
        "idempotency_key_in_use",
        "The first request with this Idempotency-Key is still being answered.",
        headers=_RETRY,
    ),
    IdempotencyKeyReused: lambda _: _said(
        422, "idempotency_key_reused", "This Idempotency-Key was first used with another request."
    ),
    StreamUnavailable: lambda _: _said(409, "nothing_to_stream", "This deployment is on no node."),
    ConsoleNotBuilt: lambda _: _said(
        503,
        "console_not_built",
        "The console was not built: `make console` builds it. The API works without it.",
    ),
    DatabaseFull: lambda _: Problem(
        503,
        "storage_unavailable",
        "The disk is full, or cannot be written: nothing was changed.",
        headers=_RETRY_LATER,
    ),
    DatabaseBusy: lambda _: Problem(
        503, "database_busy", "The database is held by something else: nothing was changed.", headers=_RETRY
    ),
    DnsUnavailable: lambda error: Problem(503, "dns_unavailable", str(error), headers=_RETRY),
    EngineUnavailable: lambda error: Problem(503, "engine_unavailable", str(error), headers=_RETRY),
    NodeUnreachable: lambda error: Problem(503, "node_unreachable", str(error), headers=_RETRY),
}
