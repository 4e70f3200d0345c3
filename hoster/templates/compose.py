"""The strict subset of the Compose file that a template may use: one reading, which is the policy.

Rules:
- A key that is not listed here is refused by its full name. Nothing is ignored: what would not be carried out is an error.
- `expose` and `ports` name the container's side only, `volumes` are named ones only: nothing of the host can be named.
- `x-web: true` marks the service that gets the host name; a service that is alone need not say so.
- `healthcheck.x-path` is an HTTP path that must answer; `x-deadline` how long the service may take to be healthy at first.
"""

import re
from collections.abc import Iterator, Mapping

from hoster.bodies import BodyInvalid
from hoster.templates.compose_fields import FieldReader
from hoster.templates.stack import Condition, Limits, Service, Stack

SERVICES_MOST = 16

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_FOR_EVER = frozenset({"always", "unless-stopped"})
_TOP_KEYS = ("services", "volumes")
_SERVICE_KEYS = (
    "image", "command", "entrypoint", "environment", "expose", "ports", "volumes", "depends_on", "healthcheck", "restart",
    "deploy", "x-web",
)  # fmt: skip


def parse_compose(tree: object) -> Stack:
    """Raises BodyInvalid with every fault."""
    reader = FieldReader()
    top = reader.mapping(tree, "compose", _TOP_KEYS)
    _declared_volumes(reader, top.get("volumes"))
    trees = reader.mapping(top.get("services"), "compose.services", None)
    if not 1 <= len(trees) <= SERVICES_MOST:
        reader.fault("compose.services", f"must have from 1 to {SERVICES_MOST} services")
        raise BodyInvalid(reader.faults)
    stack = Stack({name: _service(reader, name, keys, alone=len(trees) == 1) for name, keys in trees.items()})
    for field, message in _misfits(stack):
        reader.fault(field, message)
    if reader.faults:
        raise BodyInvalid(reader.faults)
    return stack


def _declared_volumes(reader: FieldReader, tree: object) -> None:
    """A declaration says nothing here: a volume is made because a service mounts it. Its options are refused one by one."""
    for name, options in ({} if tree is None else reader.mapping(tree, "compose.volumes", None)).items():
        if options is not None:
            reader.mapping(options, f"compose.volumes.{name}", ())


def _service(reader: FieldReader, name: str, tree: object, *, alone: bool) -> Service:
    at = f"compose.services.{name}"
    if _NAME.fullmatch(name) is None:
        reader.fault(at, "is not a service name: up to 32 of a-z, 0-9 and hyphens")
    keys = reader.mapping(tree, at, _SERVICE_KEYS)
    web = keys.get("x-web", alone)
    if not isinstance(web, bool):
        reader.fault(f"{at}.x-web", "must be true or false")
    return Service(
        name=name,
        image=reader.image(keys.get("image"), f"{at}.image"),
        web=web is True,
        command=reader.split(keys.get("command"), f"{at}.command"),
        entrypoint=reader.split_plain(keys.get("entrypoint"), f"{at}.entrypoint"),
        environment=reader.named_environment(keys.get("environment"), f"{at}.environment"),
        ports=reader.ports(keys, at),
        volumes=reader.volumes(keys.get("volumes"), f"{at}.volumes"),
        depends_on=reader.depends_on(keys.get("depends_on"), f"{at}.depends_on"),
        healthcheck=reader.healthcheck(keys.get("healthcheck"), f"{at}.healthcheck"),
        restart=reader.restart(keys.get("restart"), f"{at}.restart"),
        limits=_limits(reader, keys.get("deploy"), f"{at}.deploy"),
    )


def _limits(reader: FieldReader, tree: object, at: str) -> Limits:
    if tree is None:
        return Limits()
    resources = reader.mapping(tree, at, ("resources",)).get("resources", {})
    limits = reader.mapping(resources, f"{at}.resources", ("limits",)).get("limits", {})
    at = f"{at}.resources.limits"
    keys = reader.mapping(limits, at, ("cpus", "memory", "pids"))
    return Limits(
        reader.cpu_millis(keys.get("cpus"), f"{at}.cpus"),
        reader.memory_bytes(keys.get("memory"), f"{at}.memory"),
        reader.pids(keys.get("pids"), f"{at}.pids"),
    )


def _misfits(stack: Stack) -> Iterator[tuple[str, str]]:
    """What is wrong between services."""
    webs = [service for service in stack.services.values() if service.web]
    if len(stack.services) == 1 and not webs:
        yield f"compose.services.{next(iter(stack.services))}.x-web", "must be true: it is the only service"
    elif len(webs) != 1:
        yield "compose.services", "must have exactly one service with x-web: true"
    for service in webs:
        if not service.ports:
            yield f"compose.services.{service.name}.expose", "is required: where visitors are brought to"
        if service.restart == "no":
            yield f"compose.services.{service.name}.restart", "must not be no: the web service keeps running"
    for service in stack.services.values():
        if "x-path" in service.healthcheck and not service.ports:
            yield f"compose.services.{service.name}.healthcheck.x-path", "needs a port under expose"
        yield from _wrong_dependencies(stack.services, service)
    if _has_circle(stack.services):
        yield "compose.services", "wait for each other in a circle"


def _wrong_dependencies(services: Mapping[str, Service], service: Service) -> Iterator[tuple[str, str]]:
    for name, condition in service.depends_on.items():
        at = f"compose.services.{service.name}.depends_on"
        other = services.get(name)
        if other is None:
            yield f"{at}.{name}", "is not a service of this template"
        elif condition is Condition.HEALTHY and not other.is_checked:
            yield f"{at}.{name}.condition", "waits for a health check, but the service has none"
        elif condition is Condition.COMPLETED and (other.web or other.restart in _FOR_EVER):
            yield f"{at}.{name}.condition", "waits for the end of a service that keeps running"


def _has_circle(services: Mapping[str, Service]) -> bool:
    waiting = {name: set(service.depends_on) & set(services) for name, service in services.items()}
    while waiting:
        free = {name for name, others in waiting.items() if not others & waiting.keys()}
        if not free:
            return True
        waiting = {name: others for name, others in waiting.items() if name not in free}
    return False
