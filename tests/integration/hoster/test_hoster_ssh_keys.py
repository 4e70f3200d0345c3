"""SSH keys: given or made, and never given back."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hoster.conftest import User

KEYS = "/api/v1/ssh_keys"


def _keygen(folder: Path, *more: str) -> tuple[str, str, str]:
    """Private key, public key and fingerprint, as ssh-keygen makes them."""
    file = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-f", str(file), "-C", "", *(more if "-N" in more else (*more, "-N", ""))],
        check=True,
    )
    listed = subprocess.run(["ssh-keygen", "-lf", str(file)], check=True, capture_output=True, text=True)
    return file.read_text(), file.with_suffix(".pub").read_text().strip(), listed.stdout.split()[1]


def _stored(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("hoster.db*"))


@pytest.mark.parametrize(
    "kind",
    [("-t", "ed25519"), ("-t", "ecdsa", "-b", "384"), ("-t", "rsa", "-b", "2048"), ("-t", "rsa", "-b", "2048", "-m", "PEM")],
    ids=["ed25519", "ecdsa", "rsa", "rsa-pem"],
)  # fmt: skip
async def test_a_given_key_is_shown_as_ssh_keygen_shows_it(user: User, tmp_path: Path, kind: Any) -> None:
    private, public, fingerprint = _keygen(tmp_path, *kind)
    made = await user.ask("POST", KEYS, {"name": "laptop", "private_key": private})

    assert made.status == 201, made.body
    assert made.body["public_key"] == public
    assert made.body["fingerprint"] == fingerprint
    assert set(made.body) == {"id", "name", "public_key", "fingerprint", "created_at"}
    assert made.headers["Location"] == f"{KEYS}/{made.body['id']}"


async def test_a_pair_is_made_when_no_key_is_given_and_its_private_half_stays(
    user: User, tmp_path: Path
) -> None:
    made = await user.ask("POST", KEYS, {"name": "deploy key"})
    assert made.status == 201
    assert made.body["public_key"].startswith("ssh-ed25519 ")
    assert (await user.ask("GET", f"{KEYS}/{made.body['id']}")).body == made.body
    listed = await user.ask("GET", KEYS)

    assert listed.body == {"items": [made.body], "next_cursor": None, "total": 1}
    stored = _stored(tmp_path)
    assert made.body["fingerprint"].encode() in stored
    assert b"PRIVATE KEY" not in stored


@pytest.mark.parametrize(
    "kind",
    [("-t", "rsa", "-b", "1024"), ("-t", "ed25519", "-N", "pass phrase"), ("-t", "rsa", "-m", "PEM", "-N", "pass phrase")],
    ids=["short", "passphrase", "pem-passphrase"],
)  # fmt: skip
async def test_a_key_that_cannot_be_used_is_refused_without_repeating_it(
    user: User, tmp_path: Path, kind: Any
) -> None:
    private, _, _ = _keygen(tmp_path, *kind)
    refused = await user.ask("POST", KEYS, {"name": "bad", "private_key": private})

    assert refused.status == 422
    assert [fault["field"] for fault in refused.body["errors"]] == ["private_key"]
    assert private.splitlines()[2].encode() not in refused.raw


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "x", "private_key": "ssh-ed25519 AAAA"},
        {"name": "x", "private_key": ""},
        {"name": "x", "user_id": "user_b"},
    ],
)
async def test_what_is_not_a_key_is_refused(user: User, body: object) -> None:
    assert (await user.ask("POST", KEYS, body)).status == 422


async def test_a_stranger_neither_sees_nor_removes_a_key(user: User, stranger: User) -> None:
    made = await user.ask("POST", KEYS, {"name": "mine"})
    at = f"{KEYS}/{made.body['id']}"

    assert (await stranger.ask("GET", at)).status == 404
    assert (await stranger.ask("DELETE", at)).status == 404
    assert (await stranger.ask("GET", KEYS)).body["total"] == 0
    assert (await user.ask("DELETE", at)).status == 204
    assert (await user.ask("GET", at)).status == 404
