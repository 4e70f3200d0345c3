"""The strict subset of the Compose file that can be deployed. Pure.

Rules:
- A key that is not listed here is refused by its full name. Nothing is ignored: what would not be carried out is an error.
- Nothing is interpolated: `$` is data, because whoever sends the file has put the variables in already.
- `expose` and `ports` name the container's side only; the first is where the mesh reaches the service.
- `healthcheck.x-path` is an HTTP path that the worker itself asks, beside or instead of `test`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import yaml

from shared.problem import FieldFault
from worker.deploys.compose_reader import ComposeReader
from worker.deploys.request import (
    Condition,
    Dependency,
    DependencyCircle,
    DeployRequest,
    HealthCheck,
    Restart,
    Service,
    in_order,
)
from worker.runtime.engine import Limits

MOST_SERVICES = 20

_TOP_KEYS = ("services", "volumes", "name", "version")
_SERVICE_KEYS = (
    "image",
    "command",
    "entrypoint",
    "environment",
    "expose",
    "ports",
    "volumes",
    "depends_on",
    "healthcheck",
    "restart",
    "deploy",
    "x-web",
)
_RESTARTS = {
    "always": Restart.ALWAYS,
    "unless-stopped": Restart.ALWAYS,
    "on-failure": Restart.ON_FAILURE,
    "no": Restart.NEVER,
}


class ComposeUnsupported(Exception):
    """The compose file asks for something that is not carried out here, or is wrong; `faults` name the keys."""

    def __init__(self, faults: list[FieldFault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class _Read:
    service: Service
    is_web: bool
    restart_given: bool


def read_compose(compose: object, web: str | None, project_limits: Limits) -> DeployRequest:
    """`compose` is a mapping or YAML text, `web` the service that gets the host names. Raises ComposeUnsupported with every fault."""
    reader = ComposeReader()
    top = reader.mapping(_tree(compose), "compose", _TOP_KEYS)
    volumes = reader.mapping(top.get("volumes") or {}, "compose.volumes", None)
    for name, definition in volumes.items():
        if definition not in (None, {}):
            reader.fault(f"compose.volumes.{name}", "must be empty: volumes are made by the platform")
    trees = reader.mapping(top.get("services"), "compose.services", None)
    if not 1 <= len(trees) <= MOST_SERVICES:
        reader.fault("compose.services", f"must have 1 to {MOST_SERVICES} services")
    reads = {name: _service(reader, name, tree, project_limits) for name, tree in trees.items()}
    _check_dependencies(reader, reads)
    chosen = _web(reader, reads, web)
    if reader.faults:
        raise ComposeUnsupported(reader.faults)
    try:
        ordered = tuple(in_order(_with_tasks(reads)))
    except DependencyCircle as circle:
        raise ComposeUnsupported([FieldFault("compose.services", str(circle))]) from None
    return DeployRequest(services=ordered, web=chosen)


def _tree(compose: object) -> object:
    if not isinstance(compose, str):
        return compose
    try:
        events = list(yaml.parse(compose, Loader=yaml.CSafeLoader))
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            raise ComposeUnsupported([FieldFault("compose", "may not use YAML aliases")])
        return yaml.load(compose, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        raise ComposeUnsupported([FieldFault("compose", "is not valid YAML")]) from None


def _service(reader: ComposeReader, name: str, tree: object, project_limits: Limits) -> _Read:
    at = f"compose.services.{name}"
    reader.service_name(name, at)
    keys = reader.mapping(tree, at, _SERVICE_KEYS)
    restart = reader.choice(keys.get("restart", "always"), f"{at}.restart", _RESTARTS)
    is_web = keys.get("x-web", False)
    if not isinstance(is_web, bool):
        reader.fault(f"{at}.x-web", "must be true or false")
    service = Service(
        name=name,
        image=reader.image(keys.get("image"), f"{at}.image"),
        port=reader.port(keys, at),
        command=reader.words(keys.get("command"), f"{at}.command"),
        entrypoint=reader.words(keys.get("entrypoint"), f"{at}.entrypoint"),
        environment=reader.environment(keys.get("environment"), f"{at}.environment"),
        mounts=reader.mounts(keys.get("volumes"), f"{at}.volumes"),
        depends_on=_dependencies(reader, keys.get("depends_on"), f"{at}.depends_on"),
        healthcheck=reader.healthcheck(keys.get("healthcheck"), f"{at}.healthcheck") or HealthCheck(),
        restart=restart or Restart.ALWAYS,
        limits=reader.limits(keys.get("deploy"), f"{at}.deploy", project_limits),
    )
    if service.port is None and service.healthcheck.path is not None:
        reader.fault(f"{at}.healthcheck.x-path", "needs a port that is exposed")
    return _Read(service, is_web is True, "restart" in keys)


def _dependencies(reader: ComposeReader, value: object, at: str) -> tuple[Dependency, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(Dependency(name, Condition.STARTED) for name in dict.fromkeys(value))
    found = []
    conditions = {condition.value: condition for condition in Condition}
    for name, tree in reader.mapping(value, at, None).items():
        keys = reader.mapping(tree, f"{at}.{name}", ("condition",))
        condition = reader.choice(
            keys.get("condition", Condition.STARTED.value), f"{at}.{name}.condition", conditions
        )
        found.append(Dependency(name, condition or Condition.STARTED))
    return tuple(found)


def _check_dependencies(reader: ComposeReader, reads: Mapping[str, _Read]) -> None:
    for name, read in reads.items():
        for dependency in read.service.depends_on:
            at = f"compose.services.{name}.depends_on.{dependency.service}"
            target = reads.get(dependency.service)
            if target is None:
                reader.fault(at, "is not a service of this file")
            elif dependency.condition is Condition.COMPLETED and (
                target.restart_given and target.service.restart is Restart.ALWAYS
            ):
                reader.fault(at, "never completes, because it is always restarted")


def _web(reader: ComposeReader, reads: Mapping[str, _Read], wanted: str | None) -> str:
    marked = [name for name, read in reads.items() if read.is_web]
    candidates = [wanted] if wanted is not None else marked or (list(reads) if len(reads) == 1 else [])
    if len(candidates) != 1:
        reader.fault("web", "must name the service that gets the host names")
        return ""
    read = reads.get(candidates[0])
    if read is None:
        reader.fault("web", "is not a service of the compose file")
        return ""
    if marked and marked != candidates:
        reader.fault("web", "is not the service that is marked x-web")
    at = f"compose.services.{candidates[0]}"
    if read.service.port is None:
        reader.fault(f"{at}.expose", "the web service must expose a port")
    if read.service.restart is Restart.NEVER:
        reader.fault(f"{at}.restart", "the web service must keep running")
    return candidates[0]


def _with_tasks(reads: Mapping[str, _Read]) -> dict[str, Service]:
    """Whose completion somebody waits for runs once, unless its restart was given."""
    tasks = {
        dependency.service
        for read in reads.values()
        for dependency in read.service.depends_on
        if dependency.condition is Condition.COMPLETED
    }
    return {
        name: replace(read.service, restart=Restart.NEVER)
        if name in tasks and not read.restart_given
        else read.service
        for name, read in reads.items()
    }
