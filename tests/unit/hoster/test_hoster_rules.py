from typing import Any

import pytest

from hoster.config import Config
from hoster.deployments import naming
from hoster.deployments.readiness import Broken, Ready, Waiting, readiness, start_times
from hoster.jobs.model import Again, Heard, Job, Kind, Patience, Volumes, deadline_after, gives_up, retry_in
from hoster.monitoring.health import Health, containers_of, overall
from hoster.nodes.worker_client import WorkerRefused
from hoster.vault import Vault, VaultUnusable
from shared.config import ConfigInvalid

NOW = 1_800_000_000.0
SECRET = "s" * 32


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My App!", "my-app"),
        ("--a--b--", "a-b"),
        ("Ünï ✓ Øre", "uni-re"),
        ("日本", "app"),
        ("", "app"),
        ("x" * 60, "x" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_a_slug_is_a_good_host_label(name: str, slug: str) -> None:
    assert naming.slug(name) == slug


def test_hosts_and_url_come_from_the_project() -> None:
    project = naming.project_id("My App", "abcd1234")
    assert naming.hosts(project, "apps.localhost") == [
        "my-app-abcd1234.apps.localhost",
        "my-app-abcd1234.zexio.internal",
    ]
    assert naming.url(project, "zexio.app", 0) == "http://my-app-abcd1234.zexio.app/"
    assert naming.url(project, "apps.localhost", 8090) == "http://my-app-abcd1234.apps.localhost:8090/"


def _service(**more: Any) -> Any:
    return {"name": "web", "status": "running", "health": "healthy", "started_at": "x", "restarts": 0, **more}


@pytest.mark.parametrize(
    ("services", "health"),
    [
        ([], Health.UNKNOWN),
        ([_service()], Health.HEALTHY),
        ([_service(health=None)], Health.HEALTHY),
        ([_service(status="exited")], Health.UNHEALTHY),
        ([_service(status="exited", health="unknown")], Health.UNHEALTHY),
        ([_service(status="unknown", health="unknown")], Health.UNKNOWN),
        ([_service(), _service(health="unknown")], Health.DEGRADED),
        ([_service(health="unhealthy")], Health.UNHEALTHY),
        ([_service(health="starting")], Health.DEGRADED),
        ([_service(restarts=3)], Health.HEALTHY),
        ([_service(restarts=4)], Health.DEGRADED),
        ([_service(), _service(status="exited")], Health.DEGRADED),
        ([_service(), _service(status="completed", restarts=9)], Health.HEALTHY),
    ],
)
def test_health_is_judged_from_the_containers(services: Any, health: Any) -> None:
    assert overall(containers_of(services, is_meant_to_run=True)) is health


@pytest.mark.parametrize(
    "services", [[_service(status="exited")], [_service(), _service(status="completed")]]
)
def test_what_is_not_meant_to_run_is_neither_well_nor_ill(services: Any) -> None:
    containers = containers_of(services, is_meant_to_run=False)
    assert {overall(containers), *(container.health for container in containers)} == {Health.UNKNOWN}


@pytest.mark.parametrize(
    ("project", "is_checked", "verdict"),
    [
        ({"status": "running", "services": [_service()]}, True, Ready),
        ({"status": "running", "services": [_service(health="starting")]}, True, Waiting),
        ({"status": "deploying"}, True, Waiting),
        ({"status": "crashed"}, True, Broken),
        ({"status": "running", "services": [_service(started_at="2027-01-15T07:59:49Z")]}, False, Ready),
        ({"status": "running", "services": [_service(started_at="2027-01-15T07:59:51Z")]}, False, Waiting),
        ({"status": "running", "services": [_service(started_at=None)]}, False, Waiting),
        ({}, False, Waiting),
    ],
)
def test_running_means_healthy_or_up_for_ten_seconds(project: Any, is_checked: Any, verdict: Any) -> None:
    assert isinstance(readiness(project, is_checked=is_checked, now=NOW), verdict)


def test_a_restart_does_not_wait_for_a_service_that_was_to_end_and_has() -> None:
    task = _service(name="migrate", status="completed", started_at="2027-01-15T07:00:00Z")
    before = {"status": "running", "services": [_service(started_at="2027-01-15T07:00:01Z"), task]}
    after = {"status": "running", "services": [_service(started_at="2027-01-15T07:59:50Z"), task]}
    former = start_times(before)
    assert isinstance(readiness(before, is_checked=True, now=NOW, former=former), Waiting)
    assert isinstance(readiness(after, is_checked=True, now=NOW, former=former), Ready)


def _job(kind: Any, **more: Any) -> Any:
    return Job(
        **{"id": "job_1", "deployment_id": "dep_1", "kind": kind, "volumes": Volumes.KEEP, "release_id": None, "attempts": 1,
           "deadline_at": NOW, "unreachable_since": None, **more}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("job", "heard", "now", "ends"),
    [
        (_job(Kind.START), Heard.ANSWERED, NOW - 1, False),
        (_job(Kind.START), Heard.ANSWERED, NOW, True),
        (_job(Kind.START, unreachable_since=NOW - 100), Heard.SILENT, NOW - 11, False),
        (_job(Kind.START, unreachable_since=NOW - 100), Heard.SILENT, NOW - 10, True),
        (_job(Kind.STOP), Heard.ANSWERED, NOW, True),
        (_job(Kind.STOP, unreachable_since=NOW - 10**6), Heard.SILENT, NOW + 10**6, False),
        (_job(Kind.REDEPLOY, unreachable_since=NOW - 10**6), Heard.SILENT, NOW + 10**6, False),
        (_job(Kind.START), Heard.TROUBLED, NOW, True),
        (_job(Kind.STOP), Heard.TROUBLED, NOW + 10**6, False),
        (_job(Kind.REDEPLOY), Heard.TROUBLED, NOW + 10**6, False),
        (_job(Kind.REDEPLOY), Heard.ANSWERED, NOW, True),
        (_job(Kind.DELETE), Heard.ANSWERED, NOW + 10**6, False),
        (_job(Kind.DELETE, unreachable_since=0.0), Heard.SILENT, NOW + 10**6, False),
    ],
)
def test_only_what_may_be_given_up_is_given_up(job: Any, heard: Any, now: Any, ends: Any) -> None:
    assert gives_up(job, Again("x", heard), Patience(unreachable_s=90), now) is ends


@pytest.mark.parametrize(
    ("job", "heard", "deadline"),
    [
        (_job(Kind.STOP), Heard.ANSWERED, NOW),
        (_job(Kind.STOP), Heard.SILENT, NOW + 50 + 180),
        (_job(Kind.STOP), Heard.TROUBLED, NOW + 50 + 180),
        (_job(Kind.REDEPLOY), Heard.SILENT, NOW + 50 + 900),
        (_job(Kind.REDEPLOY), Heard.TROUBLED, NOW),
        (_job(Kind.START), Heard.SILENT, NOW),
        (_job(Kind.DELETE), Heard.SILENT, NOW),
    ],
)
def test_what_waits_for_its_node_has_all_of_its_time_when_the_node_answers(
    job: Any, heard: Any, deadline: float
) -> None:
    assert deadline_after(job, Again("x", heard), Patience(start_s=900, stop_s=180), NOW + 50) == deadline


@pytest.mark.parametrize(
    ("status", "permanent"), [(422, True), (409, True), (404, True), (401, False), (429, False), (503, False)]
)
def test_a_node_that_does_not_know_its_secret_yet_is_asked_again(status: int, permanent: Any) -> None:
    assert WorkerRefused(status, "code", "detail").is_permanent is permanent


def test_retries_back_off_to_a_ceiling() -> None:
    patience = Patience()
    waits = [retry_in(attempt, patience) for attempt in range(1, 200)]
    assert waits[0] == patience.first_retry_s
    assert waits == sorted(waits)
    assert waits[-1] == patience.longest_retry_s


def test_what_is_sealed_for_one_row_does_not_open_for_another() -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal("secret", "nodes/a")
    assert vault.open(sealed, "nodes/a") == "secret"
    assert vault.seal("secret", "nodes/a") != sealed
    for attempt in (lambda: vault.open(sealed, "nodes/b"), lambda: Vault(b"l" * 32).open(sealed, "nodes/a")):
        with pytest.raises(VaultUnusable):
            attempt()


def test_every_fault_of_the_configuration_is_told_at_once_and_no_secret_with_it() -> None:
    with pytest.raises(ConfigInvalid) as invalid:
        Config.from_env(
            {"IDENTITY_SECRET": "hunter2", "HOSTER_PORT": "x", "APP_DOMAIN": "not a domain", "HOSTER_PUBLIC_URL": "ftp://x",
             "HOSTER_JOIN_TOKEN": "tiny", "HOSTER_HISTORY_DAYS": "0"}
        )  # fmt: skip
    assert len(invalid.value.faults) == 6
    assert "hunter2" not in str(invalid.value)
    assert "tiny" not in str(invalid.value)
    assert SECRET not in repr(Config.from_env({"IDENTITY_SECRET": SECRET, "HOSTER_JOIN_TOKEN": SECRET}))
