import shutil
import socket
import stat
from pathlib import Path

import pytest

from deploy.credentials import load_or_generate
from deploy.images.hello.build import is_static_elf
from deploy.local.plan import Listener, SettingInvalid, make_plan
from deploy.local.ports import busy

CREDENTIALS = {"IDENTITY_SECRET": "i" * 40, "JOIN_TOKEN": "j" * 40}


def test_a_moved_port_moves_everything_that_points_at_it() -> None:
    plan = make_plan({"GATEWAY_PORT": "9082", "MESH_PORT": "9090"}, CREDENTIALS, Path("data"))
    settings = {service.name: service.settings for service in plan.services}

    assert settings["worker"]["HOSTER_URL"] == "http://127.0.0.1:9082"
    assert settings["worker"]["JWKS_URL"] == "http://127.0.0.1:9082/.well-known/jwks.json"
    assert settings["hoster"]["APP_URL_PORT"] == "9090"
    assert plan.public_url == "http://localhost:9082"


def test_gateway_and_hoster_share_the_identity_secret_and_no_one_else_gets_it() -> None:
    settings = {
        service.name: service.settings for service in make_plan({}, CREDENTIALS, Path("data")).services
    }

    assert settings["gateway"]["IDENTITY_SECRET"] == settings["hoster"]["IDENTITY_SECRET"]
    assert "IDENTITY_SECRET" not in settings["worker"]


def test_only_the_door_and_the_mesh_listen_beyond_this_machine() -> None:
    hosts = {
        listener.variable: listener.host for listener in make_plan({}, CREDENTIALS, Path("data")).listeners
    }

    assert {name for name, host in hosts.items() if host != "127.0.0.1"} == {"GATEWAY_PORT", "MESH_PORT"}


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingInvalid, match="MESH_PORT"):
        make_plan({"MESH_PORT": text}, CREDENTIALS, Path("data"))


def test_a_busy_port_is_one_sentence_with_the_variable_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        (sentence,) = busy([Listener("HOSTER_PORT", "127.0.0.1", port)])

    assert str(port) in sentence
    assert "HOSTER_PORT" in sentence


def test_secrets_are_generated_once_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secrets.env"

    first, second = load_or_generate(file), load_or_generate(file)

    assert first == second
    assert len(first["IDENTITY_SECRET"]) >= 32
    assert first["IDENTITY_SECRET"] != first["JOIN_TOKEN"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_missing_secret_is_added_without_changing_the_others(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("IDENTITY_SECRET=kept\n")

    loaded = load_or_generate(file)

    assert loaded["IDENTITY_SECRET"] == "kept"
    assert loaded["JOIN_TOKEN"]


def test_a_static_program_is_told_from_a_dynamic_one(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n" + "x" * 100)
    shell = shutil.which("sh")
    assert shell is not None

    assert not is_static_elf(Path(shell))
    assert not is_static_elf(script)
