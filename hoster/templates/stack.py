"""What a template's compose file says, as values, with its `${NAME}` references still in place."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")

APP_URL, APP_HOST = "APP_URL", "APP_HOST"
PLATFORM_VARIABLES = frozenset({APP_URL, APP_HOST})
"""What any template may refer to without declaring it: where visitors find the deployment."""


class Condition(StrEnum):
    """What must be so of a service before one that depends on it is started."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class Limits:
    """None: the service has its share of what the template has and the others leave."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`healthcheck` is as the node takes it: checked, not translated. The first of `ports` is where visitors are brought to."""

    name: str
    image: str
    web: bool
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    depends_on: Mapping[str, Condition]
    healthcheck: Mapping[str, object]
    restart: str | None
    limits: Limits

    @property
    def is_checked(self) -> bool:
        return bool(self.healthcheck)


@dataclass(frozen=True, slots=True)
class Stack:
    """By name, in the order in which they were written; exactly one is `web`."""

    services: Mapping[str, Service]

    @property
    def web(self) -> Service:
        return next(service for service in self.services.values() if service.web)


def referring(stack: Stack) -> Iterator[tuple[str, str]]:
    """Every text in which references are replaced, with the name of its field."""
    for service in stack.services.values():
        at = f"compose.services.{service.name}"
        for name, text in service.environment.items():
            yield f"{at}.environment.{name}", text
        for text in service.command:
            yield f"{at}.command", text
