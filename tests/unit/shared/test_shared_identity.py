import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identity import ANONYMOUS, Identity, IdentityUnverified, SignedRequest, is_managed, sign, verify

SECRET = b"s" * 32
NOW = 1_800_000_000
IDENTITY = Identity(
    user_id="user_1", org_id="org_1", plan_id="free", plan_limits='{"max_deployments":1}', key_id="sess_1"
)
REQUEST = SignedRequest("POST", "/api/v1/deployments?x=1", "0190-req")


def test_a_fresh_signature_over_the_same_values_is_accepted() -> None:
    verify(SECRET, sign(SECRET, IDENTITY, REQUEST, NOW), IDENTITY, REQUEST, NOW + 60)


def test_the_signature_is_the_one_that_an_independent_implementation_computes() -> None:
    digest = "5156fd525f8e219900ee0ad5daf4c1f93a090795d816375af511aa290f293ad4"

    assert sign(SECRET, IDENTITY, REQUEST, NOW) == f"t={NOW},v1={digest}"


@pytest.mark.parametrize(
    ("identity", "request_"),
    [
        (
            Identity(user_id="user_2", org_id="org_1", plan_id="free", plan_limits="", key_id="sess_1"),
            REQUEST,
        ),
        (ANONYMOUS, REQUEST),
        (IDENTITY, SignedRequest("GET", REQUEST.target, REQUEST.request_id)),
        (IDENTITY, SignedRequest("POST", "/api/v1/deployments", REQUEST.request_id)),
        (IDENTITY, SignedRequest("POST", REQUEST.target, "another")),
    ],
)
def test_a_signature_covers_every_value(identity: Identity, request_: SignedRequest) -> None:
    with pytest.raises(IdentityUnverified):
        verify(SECRET, sign(SECRET, IDENTITY, REQUEST, NOW), identity, request_, NOW)


@pytest.mark.parametrize("seconds", [-61, 61, 3600])
def test_an_old_or_future_signature_is_refused(seconds: int) -> None:
    with pytest.raises(IdentityUnverified):
        verify(SECRET, sign(SECRET, IDENTITY, REQUEST, NOW), IDENTITY, REQUEST, NOW + seconds)


@given(st.text(max_size=120))
def test_no_other_text_is_taken_for_a_signature(text: str) -> None:
    with pytest.raises(IdentityUnverified):
        verify(SECRET, text, IDENTITY, REQUEST, NOW)


@pytest.mark.parametrize(
    "name",
    [
        "X-User-ID",
        "x_user_id",
        "X.User.Id",
        "X-ORG_ID",
        "x-plan-limits",
        "X-Key-Id",
        "x_request-id",
        "X-Identity.Signature",
    ],
)
def test_managed_names_are_recognised_in_every_spelling(name: str) -> None:
    assert is_managed(name.lower().encode())


@pytest.mark.parametrize("name", ["x-user", "x-user-id-2", "user-id", "x-forwarded-for", "x"])
def test_other_names_are_not_managed(name: str) -> None:
    assert not is_managed(name.encode())
