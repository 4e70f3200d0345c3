"""What can be wrong with a request at the gateway, one class for each answer.

Unauthenticated: MissingCredentials, InvalidToken, TokenExpired, TokenRevoked, InvalidApiKey, KeyExpired, KeyRevoked
ConflictingCredentials, UserSuspended, BadPath, RouteNotFound, RewriteFailed
QuotaExceeded, RateLimitExceeded, CountersUnavailable, JournalUnavailable
"""


class Unauthenticated(Exception):
    """The request carries no credential that we accept."""


class MissingCredentials(Unauthenticated):
    """This route needs a token or an API key."""


class InvalidToken(Unauthenticated):
    """The token is not one of ours."""


class TokenExpired(Unauthenticated):
    """The token has expired; sign in again."""


class TokenRevoked(Unauthenticated):
    """The session of this token has ended; sign in again."""


class InvalidApiKey(Unauthenticated):
    """The API key is not one of ours."""


class KeyExpired(Unauthenticated):
    """The API key has expired."""


class KeyRevoked(Unauthenticated):
    """The API key was deleted."""


class ConflictingCredentials(Exception):
    """The request carries two different credentials."""


class UserSuspended(Exception):
    """The account is suspended."""


class BadPath(Exception):
    """The path has no canonical form."""


class RouteNotFound(Exception):
    """No route matches this request."""


class RewriteFailed(Exception):
    """The route's path_rewrite expression failed."""


class QuotaExceeded(Exception):
    """The month's quota is used up."""

    def __init__(self, limit: int, used: int, resets_at: float) -> None:
        super().__init__(f"{used} of {limit} billable requests of this month are used.")
        self.limit = limit
        self.used = used
        self.resets_at = resets_at


class RateLimitExceeded(Exception):
    """Too many billable requests in a short time. `retry_after` in seconds."""

    def __init__(self, limit: int, retry_after: float) -> None:
        super().__init__(f"At most {limit} billable requests a minute.")
        self.limit = limit
        self.retry_after = retry_after


class CountersUnavailable(Exception):
    """Quota and rate cannot be checked right now."""


class JournalUnavailable(Exception):
    """Usage cannot be recorded right now."""
