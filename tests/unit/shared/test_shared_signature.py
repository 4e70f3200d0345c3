import pytest

from shared.signature import Command, SignatureInvalid, sign, verify

SECRET = b"n" * 32
NOW = 1_800_000_000
COMMAND = Command("POST", "/projects?x=1", b"{}")


def test_a_valid_signature_yields_its_nonce() -> None:
    assert verify(SECRET, sign(SECRET, COMMAND, NOW, "nonce-0001"), COMMAND, NOW + 60) == "nonce-0001"


def test_the_signature_is_the_one_that_an_independent_implementation_computes() -> None:
    digest = "29e00905fa18635f55d99a59a9c04b1b8fce577c680db0d2d740c2e7b21d030a"

    assert sign(SECRET, COMMAND, NOW, "nonce-0001") == f"t={NOW},n=nonce-0001,v1={digest}"


@pytest.mark.parametrize(
    "command",
    [
        Command("DELETE", "/projects?x=1", b"{}"),
        Command("POST", "/projects", b"{}"),
        Command("POST", "/projects?x=1", b"{ }"),
        Command("POST", "/projects?x=1", b""),
    ],
)
def test_a_signature_for_one_command_does_not_fit_another(command: Command) -> None:
    with pytest.raises(SignatureInvalid):
        verify(SECRET, sign(SECRET, COMMAND, NOW, "nonce-0001"), command, NOW)


def test_another_secret_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        verify(b"m" * 32, sign(SECRET, COMMAND, NOW, "nonce-0001"), COMMAND, NOW)


@pytest.mark.parametrize("seconds", [-61, 61])
def test_outside_the_window_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureInvalid):
        verify(SECRET, sign(SECRET, COMMAND, NOW, "nonce-0001"), COMMAND, NOW + seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "t=1,n=short,v1=00",
        "v1=" + "0" * 64,
        f"t={NOW},n=nonce-0001,v1=" + "A" * 64,
        "t=\uff11,n=nonce-0001,v1=" + "0" * 64,
    ],
)
def test_malformed_signatures_are_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify(SECRET, text, COMMAND, NOW)
