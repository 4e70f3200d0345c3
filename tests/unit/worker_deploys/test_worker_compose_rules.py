"""What a compose file means, without an engine."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.config import Secret
from shared.database import Database
from worker.deploys.compose import ComposeUnsupported, read_compose
from worker.deploys.releases import ReleaseStore
from worker.deploys.request import (
    Condition,
    Dependency,
    DeployRequest,
    GitSource,
    HealthCheck,
    Mount,
    NotFromGit,
    Restart,
    one_service,
)
from worker.deploys.sealing import RequestCipher
from worker.projects.environment import EnvironmentCipher
from worker.runtime.engine import Limits
from worker.service import MIGRATIONS

WEB = {"image": "web:1", "expose": [80]}


def read(services: dict[str, Any], web: str | None = "web") -> DeployRequest:
    return read_compose({"services": services}, web, Limits())


def faults_of(services: dict[str, Any], web: str | None = "web") -> list[str]:
    with pytest.raises(ComposeUnsupported) as raised:
        read(services, web)
    return [fault.field for fault in raised.value.faults]


def test_services_come_after_what_they_depend_on_else_in_the_order_given() -> None:
    request = read(
        {
            "web": {**WEB, "depends_on": ["cache", "db"]},
            "db": {"image": "db:1", "depends_on": {"seed": {"condition": "service_completed_successfully"}}},
            "cache": {"image": "cache:1"},
            "seed": {"image": "seed:1"},
        }
    )

    assert [service.name for service in request.services] == ["cache", "seed", "db", "web"]
    assert request.service("web").depends_on[0] == Dependency("cache", Condition.STARTED)
    assert request.service("seed").restart is Restart.NEVER, "somebody waits for its end"
    assert request.service("cache").restart is Restart.ALWAYS


def test_yaml_text_means_what_the_mapping_means_and_a_dollar_is_data() -> None:
    text = """
services:
  web:
    image: web:1
    command: serve --greeting 'hello $NAME'
    environment: {PRICE: $5, DEBUG: true, EMPTY: ""}
    ports: ["8080/tcp", 9090]
    restart: no
    x-web: false
  other:
    image: web:1
    ports: [80]
    x-web: true
    volumes: ["data:/var/lib/data/:ro", "logs:/logs"]
    deploy: {resources: {limits: {cpus: "0.25", memory: 1.5g}}}
    healthcheck: {test: "wget -q localhost", interval: 1m30s, retries: 2, start_period: 0s, x-path: /up}
volumes:
  data:
"""
    request = read_compose(text, None, Limits(pids=77))
    web, other = request.service("web"), request.service("other")

    assert request.web == "other"
    assert web.command == ("serve", "--greeting", "hello $NAME")
    assert web.environment == {"PRICE": "$5", "DEBUG": "true", "EMPTY": ""}
    assert (web.port, web.restart) == (8080, Restart.NEVER)
    assert other.mounts == (Mount("data", "/var/lib/data", read_only=True), Mount("logs", "/logs"))
    assert other.limits == Limits(cpu=0.25, memory_mb=1536, pids=77)
    assert other.healthcheck == HealthCheck(
        path="/up",
        interval_s=90.0,
        timeout_s=5.0,
        deadline_s=285.0,
        test=("CMD-SHELL", "wget -q localhost"),
        retries=2,
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"build": "."}, "build"),
        ({"image": None}, "image"),
        ({"restart": "sometimes"}, "restart"),
        ({"volumes": ["/data"]}, "volumes"),
        ({"volumes": ["./x:/data"]}, "volumes"),
        ({"volumes": ["x:/"]}, "volumes"),
        ({"volumes": ["x:/sys/x"]}, "volumes"),
        ({"volumes": ["x:/a", "y:/a"]}, "volumes"),
        ({"volumes": [{"type": "bind"}]}, "volumes"),
        ({"environment": ["NOVALUE"]}, "environment"),
        ({"environment": {"A": ["x"]}}, "environment.A"),
        ({"environment": {"A": "x\0"}}, "environment.A"),
        ({"expose": ["80-90"]}, "expose"),
        ({"expose": [0]}, "expose"),
        ({"healthcheck": {"interval": "soon"}}, "healthcheck.interval"),
        ({"healthcheck": {"interval": ""}}, "healthcheck.interval"),
        ({"healthcheck": {"retries": 0}}, "healthcheck.retries"),
        ({"healthcheck": {"x-path": "up"}}, "healthcheck.x-path"),
        ({"deploy": {"resources": {"limits": {"memory": "1M"}}}}, "deploy.resources.limits.memory"),
        ({"deploy": {"resources": {"limits": {"cpus": "lots"}}}}, "deploy.resources.limits.cpus"),
        ({"deploy": {"resources": {"reservations": {}}}}, "deploy.resources.reservations"),
        ({"depends_on": {"web": {"condition": "service_tired"}}}, "depends_on.web.condition"),
        ({"cap_add": ["SYS_ADMIN"]}, "cap_add"),
        ({"x-web": "yes"}, "x-web"),
    ],
)
def test_whatever_would_not_be_carried_out_is_named(change: dict[str, object], field: str) -> None:
    assert f"compose.services.web.{field}" in faults_of({"web": {**WEB, **change}})


def test_the_web_service_is_one_that_keeps_running_and_has_a_port() -> None:
    two = {"a": WEB, "b": WEB}
    assert faults_of(two, None) == ["web"]
    assert faults_of(two, "c") == ["web"]
    assert faults_of({"a": WEB, "b": {**WEB, "x-web": True}}, "a") == ["web"]
    assert faults_of({"web": {"image": "x"}}) == ["compose.services.web.expose"]
    assert faults_of({"web": {**WEB, "restart": "no"}}) == ["compose.services.web.restart"]
    assert faults_of({}) == ["compose.services", "web"]
    with pytest.raises(ComposeUnsupported, match="aliases"):
        read_compose("a: &a [x]\nb: *a", None, Limits())


def test_a_request_survives_being_recorded_and_hides_its_key() -> None:
    request = read({"web": WEB, "db": {"image": "db:1", "environment": {"PASSWORD": "x"}}})
    git = one_service(None, 80, HealthCheck(path="/"), source=GitSource(url="https://x/y", key="secret"))

    assert DeployRequest.from_json(request.to_json()) == request
    assert DeployRequest.from_json(git.to_json()) == git
    assert "secret" not in repr(git)


def test_a_push_builds_the_same_repository_anew_whatever_ran_last() -> None:
    source = GitSource(url="https://x/y", ref="main", key="secret", dockerfile="a/Dockerfile")
    rolled_back = one_service(None, 80, HealthCheck(path="/"), source=source).again(
        "r", fresh_environment=False
    )

    pushed = rolled_back.at("0" * 40)

    assert pushed == one_service(None, 80, HealthCheck(path="/"), source=replace(source, ref="0" * 40))
    with pytest.raises(NotFromGit):
        one_service("x:1", 80, HealthCheck()).at("main")


OLD_REQUEST = (
    '{"image":"localhost/hello:1","port":8080,"command":["serve","a b"],"release":null,'
    '"healthcheck":{"path":"/up","interval_s":null,"timeout_s":5.0,"deadline_s":60.0}}'
)


async def test_a_release_of_before_services_can_be_run_again(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    shutil.copy(MIGRATIONS / "0001_projects.sql", first)
    database = await Database.open(tmp_path / "worker.db", first)
    async with database.transaction() as writer:
        await writer.execute(
            "INSERT INTO projects (project_id, org_id, name, visibility, limits, created_at) VALUES ('p', 'o', 'p', 'public', '{}', 1)"
        )
        await writer.execute(
            "INSERT INTO releases (release_id, project_id, request, image_id, created_at) VALUES ('r', 'p', ?, 'sha256:1', 1)",
            (OLD_REQUEST,),
        )
    await database.close()

    database = await Database.open(tmp_path / "worker.db", MIGRATIONS)
    cipher = RequestCipher(EnvironmentCipher(Secret(b"k" * 32)))
    release = await ReleaseStore(database, cipher).of_project("p", "r")
    await database.close()

    assert release.request == one_service(
        "localhost/hello:1", 8080, HealthCheck(path="/up"), ("serve", "a b")
    )
    assert (release.images["web"].image_id, release.images["web"].digest) == ("sha256:1", None)
