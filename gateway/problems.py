"""The one table from what can be wrong with a request to its answer (contract "Answers of its own")."""

import math
from collections.abc import Callable, Mapping

from gateway import errors
from shared.problem import CONTENT_TYPE, Problem
from shared.relay.director import FaultKind, Field, Respond

ToProblem = Callable[[Exception], Problem]

_RETRY_COUNTERS_S = 1
_RETRY_JOURNAL_S = 5


def _sentence(error: Exception) -> str:
    """What the error says, else its docstring, which is the sentence for its reader."""
    return str(error) or type(error).__doc__ or "The request was refused."


def _plain(status: int, code: str) -> ToProblem:
    return lambda error: Problem(status, code, _sentence(error))


def _challenge(code: str) -> ToProblem:
    """RFC 6750 section 3: `error` is named only when there was a credential."""
    value = "Bearer" if code == "missing_credentials" else 'Bearer error="invalid_token"'
    return lambda error: Problem(401, code, _sentence(error), headers={"WWW-Authenticate": value})


def _later(status: int, code: str, seconds: int) -> ToProblem:
    return lambda error: Problem(status, code, _sentence(error), headers={"Retry-After": str(seconds)})


CREDENTIAL_PROBLEMS: Mapping[type[Exception], ToProblem] = {
    errors.MissingCredentials: _challenge("missing_credentials"),
    errors.InvalidToken: _challenge("invalid_token"),
    errors.TokenExpired: _challenge("token_expired"),
    errors.TokenRevoked: _challenge("token_revoked"),
    errors.InvalidApiKey: _challenge("invalid_api_key"),
    errors.KeyExpired: _challenge("key_expired"),
    errors.KeyRevoked: _challenge("key_revoked"),
    errors.ConflictingCredentials: _plain(400, "conflicting_credentials"),
    errors.UserSuspended: _plain(403, "user_suspended"),
}
"""What the pipeline and the control app refuse alike."""


def problem_table(now: Callable[[], float]) -> dict[type[Exception], ToProblem]:
    def quota_exceeded(error: Exception) -> Problem:
        if not isinstance(error, errors.QuotaExceeded):
            raise TypeError(type(error))
        headers = {
            "Retry-After": str(max(1, math.ceil(error.resets_at - now()))),
            "X-Quota-Limit": str(error.limit),
            "X-Quota-Used": str(error.used),
            "X-Quota-Remaining": str(max(0, error.limit - error.used)),
            "X-Quota-Reset": str(int(error.resets_at)),
        }
        return Problem(402, "quota_exceeded", _sentence(error), headers=headers)

    def rate_limit_exceeded(error: Exception) -> Problem:
        if not isinstance(error, errors.RateLimitExceeded):
            raise TypeError(type(error))
        headers = {
            "Retry-After": str(max(1, math.ceil(error.retry_after))),
            "X-RateLimit-Limit": str(error.limit),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(math.ceil(now() + error.retry_after)),
        }
        return Problem(429, "rate_limit_exceeded", _sentence(error), headers=headers)

    return {
        **CREDENTIAL_PROBLEMS,
        errors.BadPath: _plain(400, "bad_path"),
        errors.RouteNotFound: _plain(404, "route_not_found"),
        errors.RewriteFailed: _plain(500, "rewrite_failed"),
        errors.QuotaExceeded: quota_exceeded,
        errors.RateLimitExceeded: rate_limit_exceeded,
        errors.CountersUnavailable: _later(503, "counters_unavailable", _RETRY_COUNTERS_S),
        errors.JournalUnavailable: _later(503, "journal_unavailable", _RETRY_JOURNAL_S),
    }


INTERNAL_ERROR = Problem(500, "internal_error", "Something went wrong on our side; it has been logged.")

_CLOSES = frozenset(
    (FaultKind.BAD_REQUEST, FaultKind.REQUEST_TIMEOUT, FaultKind.HEADERS_TOO_LARGE, FaultKind.URI_TOO_LONG)
)


def fault_problem(kind: FaultKind, status: int, detail: str) -> Problem:
    """For what the relay refuses or cannot do."""
    headers = {"Retry-After": "1"} if kind is FaultKind.OVERLOADED else {}
    return Problem(status, kind.value, detail, headers=headers)


def respond(problem: Problem, request_id: str, *, close: bool = False) -> Respond:
    fields: list[Field] = [(b"Content-Type", CONTENT_TYPE.encode()), (b"Cache-Control", b"no-store")]
    fields += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    return Respond(problem.status, fields, problem.body(request_id), close)


def closes(kind: FaultKind) -> bool:
    """Whether the connection cannot be used after this: where the next request begins is not known."""
    return kind in _CLOSES
