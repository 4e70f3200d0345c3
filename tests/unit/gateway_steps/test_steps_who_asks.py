"""Steps 1 to 5, each alone: which credential, whether it can be one, whose it is, and whether they may come in."""

import asyncio

import pytest

from gateway.accounts.key_format import new_key
from gateway.accounts.principal import ApiKey, BearerToken, Credential, Principal, UserStatus
from gateway.errors import (
    ConflictingCredentials,
    InvalidApiKey,
    InvalidToken,
    MissingCredentials,
    TokenRevoked,
    UserSuspended,
)
from gateway.steps.step_01_extract_credential import Presented, extract_credential
from gateway.steps.step_02_validate_format import LONGEST_TOKEN, validate_format
from gateway.steps.step_03_look_up_credential import look_up_credential
from gateway.steps.step_04_verify_credential import Verified, verify_credential
from gateway.steps.step_05_check_user_status import check_user_status
from shared.relay.director import Field
from tests.unit.gateway_steps.matching import match, principal

KEY = new_key()


def authorization(value: str) -> Field:
    return (b"Authorization", value.encode())


@pytest.mark.parametrize(
    ("target", "fields", "presented"),
    [
        ("/", [authorization("Bearer a.b.c")], Presented("a.b.c", must_be_key=False)),
        ("/", [authorization("bEARER   a.b.c ")], Presented("a.b.c", must_be_key=False)),
        ("/", [(b"x-api-KEY", b"k")], Presented("k", must_be_key=True)),
        ("/?api_key=k", [], Presented("k", must_be_key=True)),
        ("/?a=1&api%5Fkey=k%2Bk", [], Presented("k+k", must_be_key=True)),
        ("/?api_key=k", [authorization("Bearer k")], Presented("k", must_be_key=True)),
        ("/?api_key=", [authorization("Bearer k")], Presented("k", must_be_key=False)),
        ("/", [authorization("Basic YTpi"), (b"X-API-Key", b"k")], Presented("k", must_be_key=True)),
    ],
)
def test_step_1_finds_the_one_credential(target: str, fields: list[Field], presented: Presented) -> None:
    assert extract_credential(match(target, *fields)) == presented


@pytest.mark.parametrize(
    "fields", [[], [authorization("Basic YTpi")], [authorization("Bearer ")], [(b"X-API-Key", b"")]]
)
def test_step_1_refuses_who_brings_none(fields: list[Field]) -> None:
    with pytest.raises(MissingCredentials):
        extract_credential(match("/", *fields))


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/", [authorization("Bearer a"), (b"X-API-Key", b"b")]),
        ("/", [authorization("Bearer a"), authorization("Bearer b")]),
        ("/?api_key=a&api_key=b", []),
    ],
)
def test_step_1_refuses_two_different_ones(target: str, fields: list[Field]) -> None:
    with pytest.raises(ConflictingCredentials):
        extract_credential(match(target, *fields))


@pytest.mark.parametrize(
    ("presented", "credential"),
    [
        (Presented("a.b.c", must_be_key=False), BearerToken("a.b.c")),
        (Presented(KEY, must_be_key=False), ApiKey(KEY)),
        (Presented(KEY, must_be_key=True), ApiKey(KEY)),
    ],
)
def test_step_2_tells_tokens_and_keys_apart(presented: Presented, credential: Credential) -> None:
    found = validate_format(presented)

    assert (type(found), found) == (type(credential), credential)


@pytest.mark.parametrize(
    ("text", "must_be_key", "error"),
    [
        ("a.b.c", True, InvalidApiKey),
        (KEY[:-1] + ("a" if KEY[-1] != "a" else "b"), False, InvalidApiKey),
        ("ak_", False, InvalidApiKey),
        ("a.b", False, InvalidToken),
        ("a.b.c.d", False, InvalidToken),
        ("a.b.\u00e9", False, InvalidToken),
        ("a" * LONGEST_TOKEN + ".b.c", False, InvalidToken),
    ],
)
def test_step_2_refuses_what_cannot_be_one(text: str, *, must_be_key: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        validate_format(Presented(text, must_be_key))


class Known:
    """Knows one token at once, and another after a look-up."""

    def authenticate(self, credential: Credential) -> Principal | asyncio.Future[Principal]:
        if credential.text == "a.b.c":
            return principal()
        later: asyncio.Future[Principal] = asyncio.get_running_loop().create_future()
        later.set_exception(TokenRevoked())
        return later


async def test_step_3_answers_at_once_or_later_and_refuses_from_what_is_awaited() -> None:
    found = look_up_credential(Known(), BearerToken("a.b.c"))
    later = look_up_credential(Known(), BearerToken("d.e.f"))

    assert found == principal()
    assert not isinstance(later, Principal)
    with pytest.raises(TokenRevoked):
        await later


def test_step_4_makes_only_an_answered_look_up_a_verified_one() -> None:
    assert verify_credential(principal()) == Verified(principal())


def test_step_5_lets_active_users_in_and_no_others() -> None:
    assert check_user_status(Verified(principal())).principal == principal()
    with pytest.raises(UserSuspended):
        check_user_status(Verified(principal(UserStatus.SUSPENDED)))
