"""The one table of the mesh's own answers."""

from collections.abc import Mapping

from shared.problem import CONTENT_TYPE, Problem
from shared.relay.director import Respond
from worker.mesh import errors

_REALM = 'Bearer realm="mesh"'


def _problem(error: type[errors.MeshRefusal], status: int, code: str, **headers: str) -> Problem:
    return Problem(
        status, code, str(error.__doc__), headers={name.replace("_", "-"): headers[name] for name in headers}
    )


TABLE: Mapping[type[errors.MeshRefusal], Problem] = {
    errors.UnknownHost: _problem(errors.UnknownHost, 404, "unknown_host"),
    errors.MissingToken: _problem(errors.MissingToken, 401, "missing_credentials", WWW_Authenticate=_REALM),
    errors.TokenInvalid: _problem(
        errors.TokenInvalid, 401, "invalid_token", WWW_Authenticate=f'{_REALM}, error="invalid_token"'
    ),
    errors.TokenOutOfDate: _problem(
        errors.TokenOutOfDate,
        401,
        "token_expired",
        WWW_Authenticate=f'{_REALM}, error="invalid_token", error_description="The token has expired"',
    ),
    errors.KeysUnavailable: _problem(errors.KeysUnavailable, 503, "token_keys_unavailable", Retry_After="5"),
    errors.WrongOrganisation: _problem(errors.WrongOrganisation, 403, "wrong_organisation"),
    errors.ProjectUnavailable: _problem(
        errors.ProjectUnavailable, 503, "project_unavailable", Retry_After="2"
    ),
    errors.PeersUnknown: _problem(errors.PeersUnknown, 503, "registry_unavailable", Retry_After="2"),
}


def respond(problem: Problem, request_id: str) -> Respond:
    fields = [(b"Content-Type", CONTENT_TYPE.encode()), (b"Cache-Control", b"no-store")]
    fields += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    return Respond(problem.status, fields, problem.body(request_id))
