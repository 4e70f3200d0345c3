"""Step 4: the key's hash or the token's signature holds.

The authenticator verifies as it looks up, by hash or by signature, and returns no principal otherwise. What is left to hold
here is that a pending look-up is not mistaken for a verified one: only an answered one makes a `Verified`.
"""

from dataclasses import dataclass

from gateway.accounts.principal import Principal


@dataclass(slots=True, init=False)
class Verified:
    principal: Principal

    def __init__(self, principal: Principal) -> None:
        self.principal = principal


def verify_credential(answered: Principal) -> Verified:
    return Verified(answered)
