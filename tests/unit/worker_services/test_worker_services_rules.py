"""The catalogue and the rules of add-ons."""

from typing import Any

import pytest

from worker.runtime.engine import ContainerProbe, Limits
from worker.services.backoff import LONGEST_S, Backoff
from worker.services.catalog import CatalogInvalid, load_catalog, parse_catalog
from worker.services.credentials import Credentials, environment_of, url_of
from worker.services.model import AddOn, Definition, ServiceNotInCatalog, State, Wanted

ENTRY: dict[str, Any] = {
    "title": "Vault",
    "versions": {"2": "vault:2.1", "1": "vault:1.9"},
    "port": 7000,
    "volume": "/vault",
    "variable": "VAULT_URL",
    "url": "vault://{user}:{password}@{host}:{port}",
    "health": {"test": ["CMD", "true"]},
}


def installed(definition: Definition) -> AddOn:
    return AddOn(
        addon_id="svc_1",
        org_id="org_a",
        name="db",
        definition=definition,
        image_id=None,
        wanted=Wanted.RUNNING,
        state=State.INSTALLING,
        reason="",
        created_at=0.0,
    )


def test_every_entry_of_the_built_in_catalogue_can_be_installed() -> None:
    catalog = load_catalog(None)
    for service, entry in catalog.items():
        for version, image in entry.versions.items():
            definition = catalog.definition(service, version)
            addon = installed(definition)
            credentials = Credentials.generate()

            assert ":" in image, "pinned"
            assert not image.endswith(":latest")
            assert Definition.from_json(definition.to_json()) == definition
            assert credentials.password in url_of(addon, credentials)
            assert "db.services.internal" in url_of(addon, credentials)
            assert credentials.password in environment_of(addon, credentials).values()
            assert "{" not in str(definition.command or ""), "a command line holds no secret"
    assert {"postgres", "redis", "mariadb"} <= {service for service, _entry in catalog.items()}


def test_the_first_version_is_the_default_and_others_are_named() -> None:
    catalog = parse_catalog({"vault": ENTRY})

    assert catalog.definition("vault", None).version == "2"
    assert catalog.definition("vault", "1").image == "vault:1.9"
    with pytest.raises(ServiceNotInCatalog, match="vault is here as 2, 1"):
        catalog.definition("vault", "3")
    with pytest.raises(ServiceNotInCatalog, match="must be one of vault"):
        catalog.definition("oracle", None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"port": 0}, "vault.port"),
        ({"url": "vault://{secret}"}, "url may hold"),
        ({"environment": {"A": "{host}"}}, "A may hold"),
        ({"versions": {}}, "vault.versions"),
        ({"privileged": True}, "vault.privileged"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_place_of_its_fault(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(CatalogInvalid, match=fault):
        parse_catalog({"vault": {**ENTRY, **change}})


def test_credentials_need_no_quoting_and_do_not_show_themselves() -> None:
    first, second = Credentials.generate(), Credentials.generate()

    assert first.password.isalnum()
    assert first.password != second.password
    assert first.password not in repr(first)


def test_failures_are_retried_less_and_less_often() -> None:
    backoff = Backoff()
    now, waits = 0.0, []
    for _ in range(10):
        backoff.failed("svc_1", now)
        began = now
        while backoff.is_waiting("svc_1", now):
            now += 1.0
        waits.append(now - began)

    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == LONGEST_S
    backoff.forget("svc_1")
    assert not backoff.is_waiting("svc_1", now)


def test_a_definition_outlives_the_catalogue_that_it_came_from() -> None:
    definition = parse_catalog({"vault": {**ENTRY, "command": ["a", "b"]}}).definition("vault", None)
    again = Definition.from_json(definition.to_json())

    assert again == definition
    assert isinstance(again.health, ContainerProbe)
    assert isinstance(again.limits, Limits)
