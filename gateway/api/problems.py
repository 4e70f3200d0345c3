"""What the control app answers for each domain error."""

import math
from collections.abc import Callable

from gateway.accounts import errors as account
from gateway.api.bodies import BadJson, BodyInvalid
from gateway.api.callers import NotForYou
from gateway.problems import CREDENTIAL_PROBLEMS
from shared.problem import Problem
from shared.problem_middleware import ProblemTable


def _plain(status: int, code: str, detail: str) -> Callable[[Exception], Problem]:
    return lambda _error: Problem(status, code, detail)


def _invalid(error: Exception) -> Problem:
    faults = error.faults if isinstance(error, BodyInvalid) else ()
    return Problem(422, "validation_failed", "The request does not say what is expected.", faults)


def _too_many_attempts(error: Exception) -> Problem:
    wait = math.ceil(error.retry_after) if isinstance(error, account.TooManyAttempts) else 1
    return Problem(
        429,
        "too_many_attempts",
        f"Too many failed attempts; try again in {wait} s.",
        headers={"Retry-After": str(wait)},
    )


def _too_many_sign_ups(error: Exception) -> Problem:
    wait = math.ceil(error.retry_after) if isinstance(error, account.TooManySignUps) else 1
    return Problem(429, "too_many_sign_ups", str(error), headers={"Retry-After": str(wait)})


def _overloaded(_error: Exception) -> Problem:
    return Problem(
        503, "overloaded", "Too many people sign in at this moment; try again.", headers={"Retry-After": "1"}
    )


PROBLEMS: ProblemTable = {
    BadJson: _plain(400, "bad_json", "The body is not JSON."),
    BodyInvalid: _invalid,
    NotForYou: _plain(404, "not_found", "There is nothing at this path."),
    account.EmailTaken: _plain(409, "email_taken", "An account with this e-mail address exists already."),
    account.InvalidCredentials: _plain(
        401, "invalid_credentials", "The e-mail address or the password is wrong."
    ),
    account.TooManyAttempts: _too_many_attempts,
    account.TooManySignUps: _too_many_sign_ups,
    account.PasswordQueueFull: _overloaded,
    account.SessionRequired: _plain(403, "session_required", "Sign in for this; an API key is not enough."),
    account.UserNotFound: _plain(404, "user_not_found", "There is no such user."),
    account.LastAdministrator: _plain(
        409, "last_administrator", "This is the only active administrator; make somebody else one first."
    ),
    account.KeyNotFound: _plain(404, "key_not_found", "There is no such API key."),
    account.TooManyKeys: _plain(409, "key_limit_reached", "Delete an API key before you create another one."),
    **CREDENTIAL_PROBLEMS,
}
