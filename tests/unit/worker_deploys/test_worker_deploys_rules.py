"""The rules that need nothing but their arguments."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import ConfigInvalid, Secret
from shared.environment import EnvironmentInvalid
from worker.config import Config
from worker.deploys.crashes import RestartWindow
from worker.deploys.publication import Publication, Published
from worker.deploys.transitions import (
    CANDIDATE,
    CHOSEN,
    ENDED,
    TRANSITIONS,
    Status,
    TransitionRefused,
    check_transition,
)
from worker.mesh.table import Backend, MeshTable, Visibility
from worker.projects.environment import EnvironmentCipher, EnvironmentUnreadable, merged
from worker.projects.model import DomainInvalid, Project, ProjectIdInvalid, checked_domain, checked_project_id
from worker.runtime.engine import Limits
from worker.runtime.images import with_tag
from worker.runtime.subnets import free_subnets, host_routes

SECRET = "s" * 32


def test_every_status_is_queued_working_chosen_or_ended() -> None:
    parts = [{Status.QUEUED}, CANDIDATE, CHOSEN, ENDED]

    assert set(TRANSITIONS) == set(Status)
    assert sorted(status for part in parts for status in part) == sorted(Status)


def test_what_was_chosen_can_only_go_forwards() -> None:
    for status in CHOSEN:
        assert not TRANSITIONS[status] & {Status.FAILED, Status.CANCELLED, Status.QUEUED, Status.SUPERSEDED}
    with pytest.raises(TransitionRefused):
        check_transition(Status.SWITCHING, Status.FAILED)
    check_transition(Status.CHECKING, Status.SWITCHING)


@pytest.mark.parametrize("text", ["a", "a-b", "0", "a" * 63, "my-app-1x2y3z4w"])
def test_a_project_id_is_a_dns_label(text: str) -> None:
    assert checked_project_id(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "a/b", "..", "a" * 64, "a\n", "ä"])
def test_anything_else_is_no_project_id(text: str) -> None:
    with pytest.raises(ProjectIdInvalid):
        checked_project_id(text)


def test_a_domain_is_lower_case_and_never_below_our_own_suffixes() -> None:
    reserved = ("zexio.internal", "zexio.app")
    assert checked_domain("WWW.Example.ORG.", reserved) == "www.example.org"
    assert checked_domain("notzexio.app", reserved) == "notzexio.app"

    for text in (
        "x.zexio.app",
        "ZEXIO.app",
        "web.x.zexio.internal",
        "localhost",
        "10.0.0.1",
        "a..b",
        "*.x.org",
    ):
        with pytest.raises(DomainInvalid):
            checked_domain(text, reserved)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True), st.text(max_size=200)))
def test_an_environment_is_sealed_byte_for_byte_and_only_for_its_project(variables: dict[str, str]) -> None:
    wanted = {name: value for name, value in variables.items() if "\0" not in value}
    cipher = EnvironmentCipher(Secret(b"k" * 32))
    try:
        checked = merged({}, dict(wanted), merge=False)
    except EnvironmentInvalid:
        # Lone surrogates cannot be written as UTF-8.
        assert any("\ud800" <= char <= "\udfff" for value in wanted.values() for char in value)
        return

    sealed = cipher.seal("one", checked)

    assert cipher.open("one", sealed) == wanted
    with pytest.raises(EnvironmentUnreadable):
        cipher.open("two", sealed)


def test_merging_keeps_changes_and_removes_variables() -> None:
    old = {"A": "1", "B": "2"}

    assert merged(old, {"B": "3", "C": "4"}, merge=True) == {"A": "1", "B": "3", "C": "4"}
    assert merged(old, {"A": None}, merge=True) == {"B": "2"}
    assert merged(old, {"C": "4"}, merge=False) == {"C": "4"}
    for name in ("", "1A", "A B", "A=B", "A\n", "x" * 300):
        with pytest.raises(EnvironmentInvalid):
            merged({}, {name: "x"}, merge=False)


def test_variables_that_no_program_could_be_started_with_are_refused_together() -> None:
    large = {f"K{number}": "x" * 100_000 for number in range(10)}
    assert len(merged({}, large, merge=False)) == 10

    with pytest.raises(EnvironmentInvalid, match="together") as refused:
        merged(large, {"ONE_MORE": "x" * 100_000}, merge=True)
    assert refused.value.name == ""


def test_five_restarts_within_five_minutes_are_too_many() -> None:
    window = RestartWindow()
    assert not window.is_crashing("c", 7, 0)
    assert not window.is_crashing("c", 11, 10)

    assert window.is_crashing("c", 12, 20)


def test_slow_restarts_and_those_before_our_own_start_do_not_count() -> None:
    window = RestartWindow()
    window.began("c")
    assert not any(window.is_crashing("c", count, 100.0 * count) for count in range(20))
    window.began("c")

    assert not window.is_crashing("c", 4, 2000)


def test_networks_avoid_what_is_taken() -> None:
    pool = IPv4Network("10.201.0.0/24")
    taken = [IPv4Network("10.201.0.0/26"), IPv4Network("10.201.0.130/32"), IPv4Network("172.17.0.0/16")]

    assert [str(subnet) for subnet in free_subnets(pool, taken)] == ["10.201.0.64/26", "10.201.0.192/26"]
    assert not list(free_subnets(pool, [IPv4Network("10.0.0.0/8")]))


def test_host_routes_leave_the_default_route_out() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )

    assert host_routes(table) == [IPv4Network("172.17.0.0/16")]


def test_an_image_name_is_never_read_as_an_image_id() -> None:
    assert with_tag("cafe") == "cafe:latest"
    assert with_tag("localhost:5000/app") == "localhost:5000/app:latest"
    assert with_tag("app:1") == "app:1"
    assert with_tag("app@sha256:00") == "app@sha256:00"


def test_a_publication_takes_out_only_the_container_that_died() -> None:
    table = MeshTable("zexio.internal", "zexio.app")
    publication = Publication(table)
    project = Project(
        project_id="p",
        org_id="o",
        name="p",
        visibility=Visibility.PUBLIC,
        limits=Limits(),
        domains=("www.example.org",),
        created_at=0,
    )
    first, second = (Backend("web", f"10.0.0.{at}", 80, f"r{at}") for at in (1, 2))
    database = Backend("db", "10.0.0.3", 5432, "r2")

    assert (
        publication.publish(project, "web", {"web": Published("c1", "2026-11-22T06:00:00.5Z", first)}) == []
    )
    both = {
        "web": Published("c2", "2026-11-22T06:00:01.123456789Z", second),
        "db": Published("c3", "2026-11-22T06:00:01Z", database),
    }
    assert publication.publish(project, "web", both) == [first]
    publication.see_death("p", "c1", 1795327300.0)
    publication.see_death("p", "c2", 1795327201.0)
    assert _backend(table, "www.example.org") is second
    assert _backend(table, "db.p.zexio.internal") is database
    publication.see_death("p", "c2", 1795327202.0)
    assert _backend(table, "p.zexio.app") is None
    assert _backend(table, "db.p.zexio.internal") is database


def _backend(table: MeshTable, host: str) -> Backend | None:
    found = table.find(host)
    assert found is not None
    return found.backend


def test_every_fault_of_the_configuration_is_told_at_once_and_no_secret_with_them() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        Config.from_env(
            {
                "WORKER_SECRET": "too-short",
                "WORKER_PORT": "http",
                "WORKER_NETWORK_POOL": "10.0.0.0/30",
                "DOCKER_HOST": "ssh://x",
                "WORKER_JOIN_TOKEN": "t",
            }
        )

    text = " ".join(raised.value.faults)
    assert len(raised.value.faults) == 5
    assert "too-short" not in text


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config.from_env({"WORKER_SECRET": SECRET})

    assert (config.port, config.mesh_port) == (8081, 8090)
    assert (config.internal_suffix, config.public_suffix) == ("zexio.internal", "zexio.app")
    assert str(config.network_pool) == "10.201.0.0/16"
    assert config.public_stats
    assert SECRET not in repr(config)
