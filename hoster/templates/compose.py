"""The strict subset of the Compose file that a template may use.

Rules:
- A key that is not listed here is refused by its full name. Nothing is ignored: what would not be carried out is an error.
- One service. `expose` and `ports` name the container's side only; there are no host ports.
- `healthcheck.x-path` is the HTTP path that must answer before the service counts as running.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from hoster.bodies import BodyInvalid
from shared.config import parse_duration
from shared.problem import FieldFault

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
IMAGE = re.compile(r"[a-z0-9](?:[A-Za-z0-9._/:@-]{0,254})")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SERVICE_KEYS = ("image", "command", "environment", "expose", "ports", "healthcheck", "x-web")
_HEALTHCHECK_KEYS = ("x-path", "interval", "timeout", "x-deadline")
_HEALTH_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,255}")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Seconds. `deadline_s` is how long the service may take to answer for the first time."""

    path: str
    interval_s: float
    timeout_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The one service of a template, with its `${NAME}` references still in place."""

    name: str
    image: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    healthcheck: HealthCheck | None


def references(service: Service) -> frozenset[str]:
    texts = (*service.command, *service.environment.values())
    return frozenset(name for text in texts for name in REFERENCE.findall(text))


def parse_compose(tree: object) -> Service:
    """Raises BodyInvalid with every fault."""
    reader = _Reader()
    services = reader.mapping(
        reader.mapping(tree, "compose", ("services",)).get("services"), "compose.services", None
    )
    if len(services) != 1:
        reader.fault("compose.services", "must have exactly one service")
        raise BodyInvalid(reader.faults)
    name, tree_of_service = next(iter(services.items()))
    if _SERVICE_NAME.fullmatch(name) is None:
        reader.fault(f"compose.services.{name}", "is not a service name")
    at = f"compose.services.{name}"
    keys = reader.mapping(tree_of_service, at, _SERVICE_KEYS)
    service = Service(
        name=name,
        image=reader.image(keys.get("image"), f"{at}.image"),
        port=reader.port(keys, at),
        command=reader.command(keys.get("command"), f"{at}.command"),
        environment=reader.environment(keys.get("environment"), f"{at}.environment"),
        healthcheck=reader.healthcheck(keys.get("healthcheck"), f"{at}.healthcheck"),
    )
    if keys.get("x-web", True) is not True:
        reader.fault(f"{at}.x-web", "must be true: the only service is the one that gets the host name")
    if reader.faults:
        raise BodyInvalid(reader.faults)
    return service


class _Reader:
    """Reads the tree piece by piece and collects what is wrong; after a fault the value it returns is a placeholder."""

    def __init__(self) -> None:
        self.faults: list[FieldFault] = []

    def fault(self, field: str, message: str) -> None:
        self.faults.append(FieldFault(field, message))

    def mapping(self, tree: object, at: str, allowed: tuple[str, ...] | None) -> Mapping[str, object]:
        if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
            self.fault(at, "must be a mapping")
            return {}
        for key in tree:
            if allowed is not None and key not in allowed:
                self.fault(f"{at}.{key}", "is not permitted in a template")
        return tree

    def image(self, value: object, at: str) -> str:
        if not isinstance(value, str) or IMAGE.fullmatch(value) is None:
            self.fault(at, "must be an image reference")
            return ""
        return value

    def port(self, keys: Mapping[str, object], at: str) -> int:
        field = "ports" if "ports" in keys else "expose"
        if "ports" in keys and "expose" in keys:
            self.fault(f"{at}.expose", "stands beside ports: give one of them")
        value = keys.get(field)
        if (
            not isinstance(value, list)
            or len(value) != 1
            or not str(value[0]).isascii()
            or not str(value[0]).isdigit()
        ):
            self.fault(f"{at}.{field}", "must be a list of one container port, without a host side")
            return 0
        number = int(str(value[0])[:6])
        if not 1 <= number <= 65535:
            self.fault(f"{at}.{field}", "must be a port from 1 to 65535")
        return number

    def command(self, value: object, at: str) -> tuple[str, ...]:
        """Split before variables are put in, so that a value with spaces stays one argument."""
        if value is None:
            return ()
        if isinstance(value, str):
            try:
                return tuple(shlex.split(value))
            except ValueError:
                self.fault(at, "has an unclosed quotation")
                return ()
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            self.fault(at, "must be a text or a list of texts")
            return ()
        return tuple(value)

    def environment(self, value: object, at: str) -> Mapping[str, str]:
        if isinstance(value, list) and all(isinstance(item, str) and "=" in item for item in value):
            value = dict(str(item).split("=", 1) for item in value)
        pairs = {} if value is None else self.mapping(value, at, None)
        found: dict[str, str] = {}
        for name, item in pairs.items():
            if ENVIRONMENT_NAME.fullmatch(name) is None:
                self.fault(f"{at}.{name}", "is not a name of an environment variable")
            if isinstance(item, bool):
                found[name] = "true" if item else "false"
            elif isinstance(item, str | int | float):
                found[name] = str(item)
            else:
                self.fault(f"{at}.{name}", "must be a text or a number")
        return found

    def healthcheck(self, value: object, at: str) -> HealthCheck | None:
        if value is None:
            return None
        keys = self.mapping(value, at, _HEALTHCHECK_KEYS)
        path = keys.get("x-path")
        if not isinstance(path, str) or _HEALTH_PATH.fullmatch(path) is None:
            self.fault(f"{at}.x-path", "must be a path such as /healthz")
            path = "/"
        return HealthCheck(
            path,
            self.seconds(keys.get("interval", "1s"), f"{at}.interval", 60),
            self.seconds(keys.get("timeout", "2s"), f"{at}.timeout", 60),
            self.seconds(keys.get("x-deadline", "60s"), f"{at}.x-deadline", 900),
        )

    def seconds(self, value: object, at: str, most: int) -> float:
        try:
            seconds = parse_duration(str(value))
        except ValueError:
            seconds = 0.0
        if not 0.1 <= seconds <= most:
            self.fault(at, f"must be a duration from 100ms to {most}s")
        return seconds
