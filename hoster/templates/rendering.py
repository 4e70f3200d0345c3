"""What a worker is asked to run: a template's services with the variables put in, or an image as given."""

from collections.abc import Mapping
from dataclasses import dataclass

from hoster.deployments.resources import Resources
from hoster.deployments.sources import GitSource
from hoster.templates.stack import REFERENCE, Condition, Limits, Service, Stack

IMAGE_SERVICE = "web"
"""The name of the only service of a deployment that was made from an image."""

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Rendering:
    """`services` as the worker takes them. `is_checked` when the web service has a health check, which the worker then has
    seen pass before it calls a deploy active.
    """

    services: Mapping[str, Mapping[str, object]]
    web: str
    is_checked: bool

    @property
    def environment(self) -> None:
        """Each service has its own."""

    def deploy_body(self) -> dict[str, object]:
        return {"compose": {"services": self.services}, "web": self.web}


@dataclass(frozen=True, slots=True)
class BuildRendering:
    """What the worker builds itself. `environment` is the project's, to be set as a whole before the deploy."""

    source: Mapping[str, object]
    environment: Mapping[str, str]

    @property
    def is_checked(self) -> bool:
        return False

    def deploy_body(self) -> dict[str, object]:
        return dict(self.source)


def render_git(source: GitSource, key: str | None, values: Mapping[str, str]) -> BuildRendering:
    """`key` is the private key that opens the repository, if it needs one."""
    git: dict[str, object] = {"url": source.url, "ref": source.ref}
    if key is not None:
        git["key"] = key
    built = {} if source.dockerfile is None else {"dockerfile": source.dockerfile}
    return BuildRendering({"git": git, "port": source.port, **built}, values)


def render_stack(
    stack: Stack, values: Mapping[str, str], resources: Resources, pins: Mapping[str, str]
) -> Rendering:
    """`pins` are the images to run instead of those written, by service."""
    shares = _shares(stack, resources)
    services = {
        name: _rendered(service, values, shares[name], pins.get(name, service.image))
        for name, service in stack.services.items()
    }
    return Rendering(services, stack.web.name, stack.web.is_checked)


def render_image(
    image: str, port: int, values: Mapping[str, str], resources: Resources, pins: Mapping[str, str]
) -> Rendering:
    service: dict[str, object] = {
        "image": pins.get(IMAGE_SERVICE, image),
        "expose": [str(port)],
        "x-web": True,
        "deploy": _limits(Limits(resources.cpu_millis, resources.memory_mb * _MIB)),
    }
    if values:
        service["environment"] = dict(values)
    return Rendering({IMAGE_SERVICE: service}, IMAGE_SERVICE, is_checked=False)


def _rendered(
    service: Service, values: Mapping[str, str], limits: Limits, image: str
) -> Mapping[str, object]:
    """References are replaced in one pass: a value that looks like one is not replaced again."""

    def put_in(text: str) -> str:
        return REFERENCE.sub(lambda found: values[found[1]], text)

    fields: dict[str, object] = {
        "image": image,
        "command": [put_in(part) for part in service.command],
        "entrypoint": list(service.entrypoint),
        "environment": {name: put_in(text) for name, text in service.environment.items()},
        "expose": [str(port) for port in service.ports],
        "volumes": list(service.volumes),
        "depends_on": {
            name: {"condition": condition.value} for name, condition in service.depends_on.items()
        },
        "healthcheck": dict(service.healthcheck),
        "restart": service.restart,
        "x-web": service.web,
        "deploy": _limits(limits),
    }
    return {name: value for name, value in fields.items() if value}


def _shares(stack: Stack, resources: Resources) -> Mapping[str, Limits]:
    """What no service has claimed is divided equally among those that claim nothing, so that the sum is what is accounted.

    A service that others wait for to end has ended before they start, and has no share of its own: it may use what they will.
    """
    lasting = {
        name: service.limits for name, service in stack.services.items() if name not in _one_shot(stack)
    }
    cpu = _share([limits.cpu_millis for limits in lasting.values()], resources.cpu_millis)
    memory = _share([limits.memory_bytes for limits in lasting.values()], resources.memory_mb * _MIB)
    return {
        name: Limits(
            service.limits.cpu_millis or cpu or resources.cpu_millis,
            service.limits.memory_bytes or memory or resources.memory_mb * _MIB,
            service.limits.pids,
        )
        for name, service in stack.services.items()
    }


def _share(claimed: list[int | None], total: int) -> int:
    unclaimed = claimed.count(None)
    return (total - sum(claim or 0 for claim in claimed)) // unclaimed if unclaimed else 0


def overdrawn(stack: Stack, resources: Resources) -> list[str]:
    """The fields of `resources` that the services' limits do not fit into, each service that claims nothing needing some too."""
    services = [service.limits for name, service in stack.services.items() if name not in _one_shot(stack)]
    claims = {
        "cpu_cores": (sum(limits.cpu_millis or 10 for limits in services), resources.cpu_millis),
        "memory_mb": (
            sum(limits.memory_bytes or 6 * _MIB for limits in services),
            resources.memory_mb * _MIB,
        ),
    }
    return [f"resources.{name}" for name, (claimed, total) in claims.items() if claimed > total]


def _one_shot(stack: Stack) -> frozenset[str]:
    return frozenset(
        name
        for service in stack.services.values()
        for name, condition in service.depends_on.items()
        if condition is Condition.COMPLETED
    )


def _limits(limits: Limits) -> Mapping[str, object]:
    members: dict[str, object] = {
        "cpus": f"{(limits.cpu_millis or 0) / 1000:g}",
        "memory": limits.memory_bytes,
    }
    if limits.pids is not None:
        members["pids"] = limits.pids
    return {"resources": {"limits": members}}
