"""Step 3: look the key up, or the token's session. At once when it is cached."""

from collections.abc import Awaitable

from gateway.accounts.principal import Authenticator, Credential, Principal

LookedUp = Principal | Awaitable[Principal]


def look_up_credential(authenticator: Authenticator, credential: Credential) -> LookedUp:
    """Raises an Unauthenticated, at once or from what is awaited."""
    return authenticator.authenticate(credential)
