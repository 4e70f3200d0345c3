"""The compose policy, as a table of every field that the Compose file has: what is permitted, and what is refused by its full name."""

from typing import Any

import pytest

from hoster.bodies import BodyInvalid
from hoster.templates.compose import parse_compose
from hoster.templates.document import read_stack

SERVICE = {"image": "a/b:1", "expose": ["80"]}

# https://github.com/compose-spec/compose-spec: every key of each mapping.
TOP = {
    "configs", "include", "models", "name", "networks", "secrets", "services", "version", "volumes",
}  # fmt: skip
SERVICE_FIELDS = {
    "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "command", "configs",
    "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares",
    "cpus", "cpuset", "credential_spec", "depends_on", "deploy", "develop", "device_cgroup_rules", "devices", "dns", "dns_opt",
    "dns_search", "domainname", "driver_opts", "entrypoint", "env_file", "environment", "expose", "extends", "external_links",
    "extra_hosts", "gpus", "group_add", "healthcheck", "hostname", "image", "init", "ipc", "isolation", "label_file", "labels",
    "links", "logging", "mac_address", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models",
    "network_mode", "networks", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports", "post_start",
    "pre_stop", "privileged", "profiles", "provider", "pull_policy", "read_only", "restart", "runtime", "scale", "secrets",
    "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "sysctls", "tmpfs", "tty",
    "ulimits", "use_api_socket", "user", "userns_mode", "uts", "volumes", "volumes_from", "working_dir", "x-anything",
}  # fmt: skip
DEPLOY_FIELDS = {
    "endpoint_mode", "labels", "mode", "placement", "replicas", "resources", "restart_policy", "rollback_config", "update_config",
}  # fmt: skip
HEALTHCHECK_FIELDS = {
    "disable", "interval", "retries", "start_interval", "start_period", "test", "timeout",
}  # fmt: skip
VOLUME_FIELDS = {"driver", "driver_opts", "external", "labels", "name"}

PERMITTED_TOP = {"services", "volumes"}
PERMITTED_OF_SERVICE = {
    "image", "command", "entrypoint", "environment", "expose", "ports", "volumes", "depends_on", "healthcheck", "restart", "deploy",
}  # fmt: skip
PERMITTED_OF_HEALTHCHECK = HEALTHCHECK_FIELDS - {"start_interval"}


def compose(**service: Any) -> dict[str, Any]:
    return {"services": {"web": {**SERVICE, **service}}}


def refused(tree: object) -> list[str]:
    with pytest.raises(BodyInvalid) as invalid:
        parse_compose(tree)
    return [fault.field for fault in invalid.value.faults]


@pytest.mark.parametrize("field", sorted(TOP - PERMITTED_TOP))
def test_a_forbidden_field_of_the_file_is_refused_by_name(field: str) -> None:
    assert refused({**compose(), field: {}}) == [f"compose.{field}"]


@pytest.mark.parametrize("field", sorted(SERVICE_FIELDS - PERMITTED_OF_SERVICE))
@pytest.mark.parametrize("value", [None, {}, [], "x", True])
def test_a_forbidden_field_of_a_service_is_refused_by_name_whatever_it_says(field: str, value: Any) -> None:
    assert refused(compose(**{field: value})) == [f"compose.services.web.{field}"]


@pytest.mark.parametrize("field", sorted(DEPLOY_FIELDS - {"resources"}))
def test_a_forbidden_field_of_deploy_is_refused_by_name(field: str) -> None:
    assert refused(compose(deploy={field: {}})) == [f"compose.services.web.deploy.{field}"]


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        ({"reservations": {"devices": []}}, "reservations"),
        ({"limits": {"devices": []}}, "limits.devices"),
        ({"limits": {"cpus": "0"}}, "limits.cpus"),
        ({"limits": {"cpus": "nan"}}, "limits.cpus"),
        ({"limits": {"memory": "1M"}}, "limits.memory"),
        ({"limits": {"memory": "lots"}}, "limits.memory"),
        ({"limits": {"pids": -1}}, "limits.pids"),
    ],
)
def test_resources_are_limits_of_three_kinds(resources: Any, field: str) -> None:
    assert refused(compose(deploy={"resources": resources})) == [
        f"compose.services.web.deploy.resources.{field}"
    ]


@pytest.mark.parametrize("field", sorted(VOLUME_FIELDS))
def test_a_volume_has_no_options(field: str) -> None:
    tree = {**compose(volumes=["data:/data"]), "volumes": {"data": {field: {"type": "none", "device": "/"}}}}
    assert refused(tree) == [f"compose.volumes.data.{field}"]
    assert parse_compose({**tree, "volumes": {"data": None}}).web.volumes == ("data:/data",)


@pytest.mark.parametrize(
    "volume",
    ["/:/host", "/var/run/docker.sock:/s", "./data:/d", "~/x:/d", "../x:/d", "data", "data:relative", "data:/", "data:/a/../b",
     "data:/proc", "data:/sys/fs", "data:/dev/shm", "data:/d:rw,z", "data:/d:shared", "data:/d:", "C:\\x:/d", "data:/d:ro:ro",
     "${V}:/d", {"type": "bind", "source": "/", "target": "/h"}, {"type": "tmpfs", "target": "/h"}],
)  # fmt: skip
def test_nothing_but_a_named_volume_can_be_mounted(volume: Any) -> None:
    assert refused(compose(volumes=[volume])) == ["compose.services.web.volumes"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ports": ["8080:80"], "expose": []}, "expose"),
        ({"expose": ["127.0.0.1:80"]}, "expose"),
        ({"expose": ["80/udp"]}, "expose"),
        ({"expose": ["0"]}, "expose"),
        ({"expose": ["65536"]}, "expose"),
        ({"expose": []}, "expose"),
        ({"image": "-v /:/host"}, "image"),
        ({"image": "${IMAGE}"}, "image"),
        ({"image": None}, "image"),
        ({"command": "a 'b"}, "command"),
        ({"command": [1]}, "command"),
        ({"entrypoint": "run ${V}"}, "entrypoint"),
        ({"environment": {"A=B": "1"}}, "environment.A=B"),
        ({"environment": {"A": None}}, "environment.A"),
        ({"environment": {"A": ["x"]}}, "environment.A"),
        ({"environment": ["A"]}, "environment"),
        ({"healthcheck": {"test": ["RUN", "x"]}}, "healthcheck.test"),
        ({"healthcheck": {"test": ["CMD-SHELL", "a", "b"]}}, "healthcheck.test"),
        ({"healthcheck": {"test": "curl ${V}"}}, "healthcheck.test"),
        ({"healthcheck": {"interval": "5s"}}, "healthcheck"),
        ({"healthcheck": {"x-path": "no-slash"}}, "healthcheck.x-path"),
        ({"healthcheck": {"x-path": "/", "interval": "1y"}}, "healthcheck.interval"),
        ({"healthcheck": {"x-path": "/", "retries": 0}}, "healthcheck.retries"),
        ({"healthcheck": {"test": "true", "start_interval": "1s"}}, "healthcheck.start_interval"),
        ({"restart": "sometimes"}, "restart"),
        ({"x-web": False}, "x-web"),
        ({"restart": "no"}, "restart"),
        ({"restart": "on-failure:3"}, "restart"),
        ({"x-web": "yes"}, "x-web"),
        ({"depends_on": ["db"]}, "depends_on.db"),
        ({"depends_on": {"web": {"condition": "service_exploded"}}}, "depends_on.web.condition"),
        ({"depends_on": {"web": {"condition": "service_started", "required": False}}}, "depends_on.web.required"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_its_full_name(change: Any, field: str) -> None:
    assert f"compose.services.web.{field}" in refused(compose(**change))


@pytest.mark.parametrize(
    ("services", "field"),
    [
        ({}, "compose.services"),
        ({"a": SERVICE, "b": SERVICE}, "compose.services"),
        ({"a": {**SERVICE, "x-web": True}, "b": {**SERVICE, "x-web": True}}, "compose.services"),
        ({"Web": SERVICE}, "compose.services.Web"),
        ({"../x": SERVICE}, "compose.services.../x"),
        ({"a": {**SERVICE, "x-web": True, "depends_on": ["b"]}, "b": {**SERVICE, "depends_on": ["a"]}}, "compose.services"),
        (
            {"a": {**SERVICE, "x-web": True, "depends_on": {"b": {"condition": "service_healthy"}}}, "b": SERVICE},
            "compose.services.a.depends_on.b.condition",
        ),
    ],
)  # fmt: skip
def test_services_that_do_not_fit_together_are_refused(services: Any, field: str) -> None:
    assert refused({"services": services}) == [field]


def test_the_whole_subset_is_read() -> None:
    stack = read_stack("""
services:
  web:
    image: a/b:1
    ports: ["8080", 9090]
    command: [serve, --quiet]
    entrypoint: /entry --now
    environment: [A=1, B=]
    depends_on: {db: {condition: service_healthy}, seed: {condition: service_completed_successfully}}
    healthcheck: {x-path: /healthz, interval: 2s, x-deadline: 1m30s}
    restart: on-failure
    deploy: {resources: {limits: {cpus: 0.5, memory: 128M, pids: 64}}}
    x-web: true
  db:
    image: db:1
    volumes: ["data:/var/lib/db", "conf:/etc/db:ro"]
    healthcheck: {test: pg_isready -U $USER, retries: 5, start_period: 10s}
  seed:
    image: db:1
    depends_on: [db]
    healthcheck: {disable: true}
    restart: no
volumes: {data: , conf: {}}
""")
    web, db, seed = stack.services.values()
    assert (web.web, web.ports, web.restart, web.entrypoint) == (
        True,
        (8080, 9090),
        "on-failure",
        ("/entry", "--now"),
    )
    assert web.healthcheck == {"x-path": "/healthz", "interval": "2s", "x-deadline": "90s"}
    assert web.environment == {"A": "1", "B": ""}
    assert (web.limits.cpu_millis, web.limits.memory_bytes, web.limits.pids) == (500, 128 * 2**20, 64)
    assert (db.web, db.is_checked, db.volumes) == (False, True, ("data:/var/lib/db", "conf:/etc/db:ro"))
    assert (seed.is_checked, seed.restart, dict(seed.depends_on)) == (
        False,
        "no",
        {"db": "service_started"},
    )


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: [", "services: !!python/object:os.system {}", "text", ""])
def test_what_is_not_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(BodyInvalid):
        read_stack(text)
