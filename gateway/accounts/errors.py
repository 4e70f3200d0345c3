"""What can be wrong with a change to an account.

EmailTaken, InvalidCredentials, TooManyAttempts, TooManySignUps, PasswordQueueFull, SessionRequired
UserNotFound, LastAdministrator, KeyNotFound, TooManyKeys
"""


class EmailTaken(Exception):
    """An account with this e-mail address exists already."""


class InvalidCredentials(Exception):
    """The e-mail address or the password is wrong."""


class TooManyAttempts(Exception):
    """Too many failed attempts. `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many failed attempts; try again later.")
        self.retry_after = retry_after


class TooManySignUps(Exception):
    """Too many accounts were made from one address. `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many accounts were made from this address; try again later.")
        self.retry_after = retry_after


class PasswordQueueFull(Exception):
    """Too many sign-ins are being checked at this moment."""


class SessionRequired(Exception):
    """This needs a signed-in session; an API key is not enough."""


class UserNotFound(Exception):
    """There is no such user."""


class LastAdministrator(Exception):
    """Nobody would be left to administrate: this is the only active administrator."""


class KeyNotFound(Exception):
    """There is no such API key."""


class TooManyKeys(Exception):
    """The account holds as many API keys as it may."""
