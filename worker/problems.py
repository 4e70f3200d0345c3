"""The one table of the management API: which answer each domain error gets."""

from collections.abc import Callable
from typing import TypeVar

from shared.database import DatabaseFull
from shared.environment import EnvironmentInvalid
from shared.problem import FieldFault, Problem
from shared.problem_middleware import ProblemTable
from shared.signature import SignatureInvalid
from worker.deploys.compose import ComposeUnsupported
from worker.deploys.model import DeployPastCancelling, DeployUnknown, ReleaseMissing, ReleaseUnknown
from worker.errors import ContainerGone, EngineUnavailable, QueryInvalid, StorageUnwritable, TooManyStreams
from worker.files.listing import LinkRefused, NotAFolder, PathMissing
from worker.files.path import PathInvalid
from worker.firewall.firewall import NothingToConfirm
from worker.firewall.nft import FirewallUnavailable, RulesetRefused
from worker.projects.environment import EnvironmentUnreadable
from worker.projects.model import DomainInvalid, DomainTaken, ProjectExists, ProjectIdInvalid, ProjectUnknown
from worker.requests import RequestInvalid
from worker.runtime.networks import NetworkPoolExhausted
from worker.services.model import AddOnExists, AddOnUnknown, LinkTaken, ServiceNotInCatalog
from worker.signature_check import BodyTooLarge
from worker.webhooks.authentication import WebhookUnsigned
from worker.webhooks.push import WebhookUnreadable
from worker.webhooks.receiver import WebhookSecretMissing

_E = TypeVar("_E", bound=Exception)
_Row = tuple[type[Exception], Callable[[Exception], Problem]]


def _says(error: type[Exception], status: int, code: str, **headers: str) -> _Row:
    """The error's own sentence."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error, lambda raised: Problem(status, code, str(raised), headers=named)


def _shows(error: type[_E], problem: Callable[[_E], Problem]) -> _Row:
    def to_problem(raised: Exception) -> Problem:
        if not isinstance(raised, error):
            raise TypeError(f"{error.__name__} expected") from raised
        return problem(raised)

    return error, to_problem


def _storage_full(_raised: Exception) -> Problem:
    detail = "The disk of this node is full, or cannot be written: nothing was changed."
    return Problem(503, "storage_unavailable", detail, headers={"Retry-After": "30"})


TABLE: ProblemTable = dict(
    [
        (
            SignatureInvalid,
            lambda _raised: Problem(
                401, "invalid_signature", "The command is not validly signed for this worker."
            ),
        ),
        _says(BodyTooLarge, 413, "body_too_large"),
        _shows(
            RequestInvalid,
            lambda raised: Problem(422, "invalid_body", "Some members are not valid.", raised.faults),
        ),
        _shows(
            EnvironmentInvalid,
            lambda raised: Problem(
                422,
                "invalid_environment",
                "A variable is not valid.",
                [FieldFault(f"env.{raised.name}".rstrip("."), str(raised))],
            ),
        ),
        _shows(
            QueryInvalid,
            lambda raised: Problem(
                422, "invalid_query", str(raised), [FieldFault(raised.field, raised.fault)]
            ),
        ),
        _says(ContainerGone, 404, "container_gone"),
        (
            TooManyStreams,
            lambda _raised: Problem(
                503,
                "too_many_streams",
                "This worker serves as many live streams as it may.",
                headers={"Retry-After": "10"},
            ),
        ),
        _shows(
            ComposeUnsupported,
            lambda raised: Problem(
                422, "unsupported_compose", "The compose file cannot be deployed as it is.", raised.faults
            ),
        ),
        _says(ProjectIdInvalid, 422, "invalid_project_id"),
        _says(ProjectUnknown, 404, "unknown_project"),
        _says(ProjectExists, 409, "project_exists"),
        _says(DomainInvalid, 422, "invalid_domain"),
        _says(DomainTaken, 409, "domain_taken"),
        _says(DeployUnknown, 404, "unknown_deploy"),
        _says(DeployPastCancelling, 409, "deploy_not_cancellable"),
        _says(ReleaseMissing, 409, "no_release"),
        _says(ReleaseUnknown, 404, "unknown_release"),
        _says(WebhookUnsigned, 401, "invalid_signature"),
        _says(WebhookSecretMissing, 403, "no_webhook_secret"),
        _says(WebhookUnreadable, 422, "invalid_webhook"),
        _says(PathInvalid, 422, "invalid_path"),
        _says(PathMissing, 404, "path_not_found"),
        _says(NotAFolder, 422, "not_a_folder"),
        _says(LinkRefused, 422, "link_not_followed"),
        _says(AddOnUnknown, 404, "unknown_service"),
        _says(AddOnExists, 409, "service_exists"),
        _says(LinkTaken, 409, "variable_taken"),
        _shows(
            ServiceNotInCatalog,
            lambda raised: Problem(
                422,
                "not_in_catalog",
                "The catalogue does not have this.",
                [FieldFault(raised.field, str(raised))],
            ),
        ),
        _says(EnvironmentUnreadable, 500, "environment_unreadable"),
        _says(FirewallUnavailable, 503, "firewall_unavailable"),
        _says(RulesetRefused, 422, "ruleset_refused"),
        _says(NothingToConfirm, 409, "nothing_to_confirm"),
        (DatabaseFull, _storage_full),
        (StorageUnwritable, _storage_full),
        _says(NetworkPoolExhausted, 503, "network_pool_exhausted"),
        (
            EngineUnavailable,
            lambda _raised: Problem(
                503,
                "engine_unavailable",
                "The container engine of this node does not answer.",
                headers={"Retry-After": "5"},
            ),
        ),
    ]
)
