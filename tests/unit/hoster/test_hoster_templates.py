import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hoster.bodies import BodyInvalid
from hoster.deployments.resources import Resources
from hoster.templates.catalog import FOLDER, read_catalog
from hoster.templates.compose import parse_compose
from hoster.templates.document import read_document, read_stack, stored_document, write_document
from hoster.templates.model import Variable, VariableType
from hoster.templates.rendering import overdrawn, render_stack
from hoster.templates.stack import REFERENCE
from hoster.templates.variables import plain, resolve

SERVICE = {"image": "a/b:1", "expose": ["80"]}
RESOURCES = Resources(500, 128, 64)


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


def test_values_are_put_in_byte_for_byte_and_once() -> None:
    stack = parse_compose(
        _compose(
            command="serve --title ${V} $V",
            environment={"A": "<${V}>", "B": "$${V}"},
            healthcheck={"x-path": "/up"},
        )
    )
    rendered = render_stack(stack, {"V": "${V} 'two words'\n"}, RESOURCES, {})
    service = rendered.services["web"]

    assert service["command"] == ["serve", "--title", "${V} 'two words'\n", "$V"]
    assert service["environment"] == {"A": "<${V} 'two words'\n>", "B": "$${V} 'two words'\n"}
    assert service["healthcheck"] == {"x-path": "/up"}
    assert rendered.is_checked


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200))
def test_any_value_arrives_as_it_is(value: str) -> None:
    stack = parse_compose(_compose(command=["say", "${V}"], environment={"A": "${V}${V}", "W": "${W}"}))
    service = render_stack(stack, {"V": value, "W": "w"}, RESOURCES, {}).services["web"]

    assert service["command"] == ["say", value]
    assert service["environment"] == {"A": value + value, "W": "w"}


def test_services_share_what_the_template_has_and_an_overdraft_is_refused() -> None:
    limited = {"deploy": {"resources": {"limits": {"cpus": "0.25", "memory": "64M", "pids": 50}}}}
    once = {**SERVICE, "depends_on": []}
    tree = {
        "services": {
            "web": {
                **SERVICE,
                "x-web": True,
                "depends_on": {"once": {"condition": "service_completed_successfully"}},
            },
            "db": {**SERVICE, **limited},
            "cache": SERVICE,
            "once": once,
        }
    }
    rendered = render_stack(parse_compose(tree), {}, Resources(1250, 256, 1), {"db": "a/b@sha256:1"})
    limits = {name: service["deploy"]["resources"]["limits"] for name, service in rendered.services.items()}  # type: ignore[index]

    assert limits["db"] == {"cpus": "0.25", "memory": 64 * 2**20, "pids": 50}
    assert limits["web"] == limits["cache"] == {"cpus": "0.5", "memory": 96 * 2**20}
    assert rendered.services["db"]["image"] == "a/b@sha256:1"
    assert overdrawn(parse_compose(tree), Resources(200, 64, 1)) == [
        "resources.cpu_cores",
        "resources.memory_mb",
    ]
    assert overdrawn(parse_compose(tree), Resources(1250, 256, 1)) == []


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
        resolve([_variable(**variable)], given, lambda _: "p")
    else:
        assert _fields(resolve, [_variable(**variable)], given, lambda _: "p") == ["variables.V"]


def test_a_password_is_generated_and_kept_apart() -> None:
    password = _variable(type=VariableType.PASSWORD, required=True)
    assert resolve([password], {}, lambda _: "fresh").secret == {"V": "fresh"}
    assert resolve([password], {"V": ""}, lambda _: "fresh").secret == {"V": "fresh"}, (
        "an empty field of a form"
    )
    assert resolve([password], {"V": "mine"}, lambda _: "fresh").secret == {"V": "mine"}
    assert resolve([password], {"V": "mine"}, lambda _: "fresh").shown == {}
    assert password.as_json()["default"] is None


def test_unknown_and_unusable_names_are_refused() -> None:
    assert _fields(resolve, [], {"X": "1"}, lambda _: "p") == ["variables.X"]
    assert _fields(plain, {"A B": "1", "OK": "1"}) == ["variables.A B"]


def test_authors_patterns_that_could_run_for_ever_are_refused() -> None:
    document = yaml.safe_load((FOLDER / "hello.yaml").read_text())
    for pattern in ("(a+)+", "a*a*a*b", "a|b", "["):
        document["variables"][0]["pattern"] = pattern
        assert _fields(read_document, document) == ["variables.0.pattern"]


CATALOG = read_catalog()
FREE_PLAN = {"cpu_cores": 1, "memory_mb": 1024, "disk_mb": 5120}


def test_the_catalogue_has_what_people_look_for() -> None:
    assert {
        "hello", "static-site", "wordpress", "postgres", "redis", "gitea", "uptime-kuma", "n8n", "ghost", "vaultwarden", "umami",
    } <= CATALOG.keys()  # fmt: skip
    hello = read_stack(CATALOG["hello"].compose).web
    assert (hello.image, hello.ports, hello.healthcheck) == (
        "localhost/hello:1",
        (8080,),
        {"x-path": "/healthz"},
    )


@pytest.mark.parametrize("slug", sorted(CATALOG))
def test_a_shipped_template_keeps_the_rules_and_can_be_rendered(slug: str) -> None:
    document = CATALOG[slug]
    assert stored_document(write_document(document)) == document
    assert read_document(json.loads(write_document(document))) == document
    assert document.description
    assert document.category != "other"
    assert all(variable.label != variable.name for variable in document.variables)
    assert {
        name: amount for name, amount in document.resources.as_json().items() if amount > FREE_PLAN[name]
    } == {}

    values = resolve(document.variables, _needed(document.variables), lambda _: "generated-password")
    stack = read_stack(document.compose)
    platform = {"APP_URL": "http://x.example/", "APP_HOST": "x.example"}
    rendered = render_stack(stack, {**platform, **values.texts()}, document.resources, {})
    assert "${" not in json.dumps(rendered.services)
    used = {name for service in stack.services.values() for text in (*service.environment.values(), *service.command)
            for name in REFERENCE.findall(text)}  # fmt: skip
    assert {variable.name for variable in document.variables} <= used
    for service in stack.services.values():
        tag = service.image.rpartition(":")[2]
        assert tag[0].isdigit() or tag.partition("-v")[2][:1].isdigit(), f"{service.image} is not pinned"
        assert "latest" not in tag
        assert service.image.startswith("localhost/") or service.restart == "unless-stopped"
    assert sum(
        service["deploy"]["resources"]["limits"]["memory"] for service in rendered.services.values()
    ) <= (  # type: ignore[index]
        document.resources.memory_mb * 2**20
    )


def _needed(variables: Any) -> Any:
    """Values for those that only the customer can know."""
    known = {"DOMAIN": "https://vault.example.org"}
    return {
        variable.name: known[variable.name]
        for variable in variables
        if variable.required and variable.default is None and variable.type is not VariableType.PASSWORD
    }


def test_a_reference_without_a_variable_is_refused() -> None:
    document = yaml.safe_load((FOLDER / "hello.yaml").read_text())
    document["variables"] = []
    assert _fields(read_document, document) == ["compose.services.web.environment.MESSAGE"]
