import json
from typing import Any

import pytest
import yaml

from hoster.bodies import BodyInvalid
from hoster.templates.catalog import FOLDER, read_catalog
from hoster.templates.compose import HealthCheck, parse_compose
from hoster.templates.document import read_document, read_service, stored_document, write_document
from hoster.templates.model import Variable, VariableType
from hoster.templates.rendering import render_service
from hoster.templates.variables import plain, resolve

SERVICE = {"image": "a/b:1", "expose": ["80"]}


def _compose(**service: Any) -> Any:
    return {"services": {"web": {**SERVICE, **service}}}


def _fields(call: Any, *arguments: Any) -> Any:
    with pytest.raises(BodyInvalid) as invalid:
        call(*arguments)
    return [fault.field for fault in invalid.value.faults]


def _variable(**more: Any) -> Any:
    return Variable(
        **{"name": "V", "label": "V", "type": VariableType.STRING, "default": None, "required": False, "options": (),
           "pattern": None, **more}
    )  # fmt: skip


@pytest.mark.parametrize(
    "key",
    ["build", "privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "volumes", "labels", "security_opt", "user",
     "extends", "secrets", "sysctls", "userns_mode", "env_file", "x-other"],
)  # fmt: skip
def test_what_is_not_in_the_subset_is_refused_by_its_full_name(key: Any) -> None:
    assert _fields(parse_compose, _compose(**{key: "x"})) == [f"compose.services.web.{key}"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ports": ["8080:80"], "expose": None}, "compose.services.web.expose"),
        ({"expose": ["127.0.0.1:80"]}, "compose.services.web.expose"),
        ({"expose": ["0"]}, "compose.services.web.expose"),
        ({"expose": ["80", "81"]}, "compose.services.web.expose"),
        ({"image": "-v /:/host"}, "compose.services.web.image"),
        ({"command": "a 'b"}, "compose.services.web.command"),
        ({"environment": {"A=B": "1"}}, "compose.services.web.environment.A=B"),
        ({"healthcheck": {"test": ["CMD", "x"], "x-path": "/"}}, "compose.services.web.healthcheck.test"),
        ({"healthcheck": {"x-path": "no-slash"}}, "compose.services.web.healthcheck.x-path"),
        ({"healthcheck": {"x-path": "/", "interval": "1y"}}, "compose.services.web.healthcheck.interval"),
        ({"x-web": False}, "compose.services.web.x-web"),
    ],
)
def test_a_wrong_value_is_refused_by_its_full_name(change: Any, field: Any) -> None:
    assert field in _fields(parse_compose, _compose(**change))


def test_top_level_keys_and_several_services_are_refused() -> None:
    assert _fields(parse_compose, {**_compose(), "networks": {}}) == ["compose.networks"]
    assert _fields(parse_compose, {"services": {"a": SERVICE, "b": SERVICE}}) == ["compose.services"]
    assert "compose" in _fields(parse_compose, "text")
    assert _fields(read_service, "a: &x [*x]") == ["compose"]
    assert _fields(read_service, "a: [") == ["compose"]


def test_values_are_put_in_byte_for_byte_and_once() -> None:
    service = parse_compose(
        _compose(
            command="serve --title ${V} $V",
            environment={"A": "<${V}>", "B": "$${V}"},
            healthcheck={"x-path": "/up"},
        )
    )
    rendered = render_service(service, {"V": "${V} 'two words'\n"})

    assert rendered.deploy["command"] == ["serve", "--title", "${V} 'two words'\n", "$V"]
    assert rendered.environment == {"A": "<${V} 'two words'\n>", "B": "$${V} 'two words'\n"}
    assert rendered.deploy["healthcheck"] == {
        "path": "/up",
        "interval_s": 1.0,
        "timeout_s": 2.0,
        "deadline_s": 60.0,
    }


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ({"required": True}, None, False),
        ({"required": True}, "", False),
        ({"required": True, "default": "x"}, None, True),
        ({"type": VariableType.NUMBER}, "5", False),
        ({"type": VariableType.NUMBER}, True, False),
        ({"type": VariableType.NUMBER}, 5, True),
        ({"type": VariableType.NUMBER}, float("inf"), False),
        ({"type": VariableType.BOOLEAN}, "true", False),
        ({"type": VariableType.BOOLEAN}, False, True),
        ({"type": VariableType.SELECT, "options": ("a", "b")}, "c", False),
        ({"type": VariableType.SELECT, "options": ("a", "b")}, "b", True),
        ({"pattern": "[a-z]+"}, "abc1", False),
        ({"pattern": "[a-z]+"}, "abc", True),
        ({}, "nul\0", False),
        ({}, "x" * 40_000, False),
    ],
)
def test_values_are_held_to_their_variable(variable: Any, value: Any, accepted: Any) -> None:
    given = {} if value is None else {"V": value}
    if accepted:
        resolve([_variable(**variable)], given, lambda: "p")
    else:
        assert _fields(resolve, [_variable(**variable)], given, lambda: "p") == ["variables.V"]


def test_a_password_is_generated_and_kept_apart() -> None:
    password = _variable(type=VariableType.PASSWORD, required=True)
    assert resolve([password], {}, lambda: "fresh").secret == {"V": "fresh"}
    assert resolve([password], {"V": "mine"}, lambda: "fresh").secret == {"V": "mine"}
    assert resolve([password], {"V": "mine"}, lambda: "fresh").shown == {}
    assert password.as_json()["default"] is None


def test_unknown_and_unusable_names_are_refused() -> None:
    assert _fields(resolve, [], {"X": "1"}, lambda: "p") == ["variables.X"]
    assert _fields(plain, {"A B": "1", "OK": "1"}) == ["variables.A B"]


def test_authors_patterns_that_could_run_for_ever_are_refused() -> None:
    document = yaml.safe_load((FOLDER / "hello.yaml").read_text())
    for pattern in ("(a+)+", "a*a*a*b", "a|b", "["):
        document["variables"][0]["pattern"] = pattern
        assert _fields(read_document, document) == ["variables.0.pattern"]


def test_every_shipped_template_keeps_the_rules_and_survives_storage() -> None:
    catalog = read_catalog()
    assert "hello" in catalog
    for document in catalog.values():
        assert stored_document(write_document(document)) == document
        assert read_document(json.loads(write_document(document))) == document
    hello = read_service(catalog["hello"].compose)
    assert (hello.image, hello.port) == ("localhost/hello:1", 8080)
    assert hello.healthcheck == HealthCheck("/healthz", 1.0, 2.0, 60.0)


def test_a_reference_without_a_variable_is_refused() -> None:
    document = yaml.safe_load((FOLDER / "hello.yaml").read_text())
    document["variables"] = []
    assert _fields(read_document, document) == ["compose"]
