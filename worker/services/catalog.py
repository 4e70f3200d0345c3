"""The catalogue: read once at start, every fault at once."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from worker.runtime.engine import ContainerProbe, Limits
from worker.services.model import Definition, ServiceNotInCatalog

BUILT_IN = Path(__file__).parent / "catalog.yaml"

_SECRET_FIELDS = frozenset({"user", "password", "database"})
_URL_FIELDS = _SECRET_FIELDS | {"host", "port"}


class CatalogInvalid(Exception):
    """The catalogue cannot be used; one fault a line."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HealthEntry(_Entry):
    test: Annotated[tuple[str, ...], Field(min_length=2)]
    interval_s: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    timeout_s: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    retries: Annotated[int, Field(ge=1, le=20)] = 5
    start_period_s: Annotated[float, Field(ge=0, le=600)] = 120.0


class LimitsEntry(_Entry):
    cpu: Annotated[float, Field(gt=0, le=64)] = 1.0
    memory_mb: Annotated[int, Field(ge=6, le=1_048_576)] = 512
    pids: Annotated[int, Field(ge=2, le=32_768)] = 256


class CatalogEntry(_Entry):
    title: str
    versions: Annotated[dict[str, str], Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)]
    volume: Annotated[str, Field(pattern=r"^/[^\x00]+$")]
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    url: str
    health: HealthEntry
    limits: LimitsEntry = LimitsEntry()

    @field_validator("environment")
    @classmethod
    def check_environment(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, template in environment.items():
            _check_template(name, template, _SECRET_FIELDS)
        return environment

    @field_validator("url")
    @classmethod
    def check_url(cls, url: str) -> str:
        _check_template("url", url, _URL_FIELDS)
        return url

    @property
    def default_version(self) -> str:
        return next(iter(self.versions))


_ENTRIES: TypeAdapter[dict[str, CatalogEntry]] = TypeAdapter(
    dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")], CatalogEntry]
)


class Catalog:
    def __init__(self, entries: Mapping[str, CatalogEntry]) -> None:
        self._entries = entries

    def items(self) -> list[tuple[str, CatalogEntry]]:
        return list(self._entries.items())

    def definition(self, service: str, version: str | None) -> Definition:
        """Raises ServiceNotInCatalog, which names what there is."""
        entry = self._entries.get(service)
        if entry is None:
            raise ServiceNotInCatalog("service", f"must be one of {', '.join(self._entries)}")
        chosen = entry.default_version if version is None else version
        if chosen not in entry.versions:
            raise ServiceNotInCatalog("version", f"{service} is here as {', '.join(entry.versions)}")
        return Definition(
            service=service,
            version=chosen,
            image=entry.versions[chosen],
            port=entry.port,
            volume=entry.volume,
            command=entry.command,
            environment=entry.environment,
            variable=entry.variable,
            url=entry.url,
            health=ContainerProbe(**entry.health.model_dump()),
            limits=Limits(**entry.limits.model_dump()),
        )


def load_catalog(path: Path | None) -> Catalog:
    """None: the built-in one. Raises CatalogInvalid. Blocking."""
    source = BUILT_IN if path is None else path
    try:
        return parse_catalog(yaml.safe_load(source.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogInvalid(f"the catalogue {source} cannot be read: {error}") from error


def parse_catalog(document: Any) -> Catalog:  # noqa: ANN401 - whatever the YAML holds
    """Raises CatalogInvalid."""
    try:
        return Catalog(_ENTRIES.validate_python(document))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise CatalogInvalid("the catalogue is not valid: " + "; ".join(faults)) from error


def _check_template(name: str, template: str, allowed: frozenset[str]) -> None:
    fields = {
        field for _text, field, _form, _conversion in string.Formatter().parse(template) if field is not None
    }
    if not fields <= allowed:
        raise ValueError(f"{name} may hold {{{'}, {'.join(sorted(allowed))}}} only")
