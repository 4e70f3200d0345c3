"""Turns for the work that a password costs."""

import asyncio

from gateway.accounts.errors import PasswordQueueFull
from gateway.accounts.passwords import Passwords


async def test_who_waits_too_long_for_a_turn_is_refused_and_the_next_one_is_served() -> None:
    passwords = Passwords(patience_s=0.03)
    try:
        crowd = await asyncio.gather(
            *(passwords.verify(None, "a wrong one") for _ in range(60)), return_exceptions=True
        )
        alone = await passwords.verify(await passwords.hash("right"), "right")
    finally:
        passwords.close()

    refused = [one for one in crowd if isinstance(one, PasswordQueueFull)]
    assert len(crowd) - len(refused) == crowd.count(False) >= 2
    assert refused
    assert alone
