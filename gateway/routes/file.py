"""The route file as it is written: every field, its default and what may be wrong with it. No compiling here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.routes.units import parse_size, parse_target
from gateway.routes.yaml_lines import Document, Fault, Place, read_document
from gateway.rules.route_pattern import MatchKind
from shared.config import parse_duration
from shared.relay.director import Target

DEFAULT_MAX_BODY = 10 * 1024 * 1024
NO_UPSTREAM = ""
"""Stands in where a route names none, which is a fault already."""

Model = TypeVar("Model", bound=BaseModel)


def _duration(value: object) -> float:
    return parse_duration(value) if isinstance(value, str) else _refuse(value, "a duration such as 30s")


def _size(value: object) -> int:
    return parse_size(str(value)) if isinstance(value, (str, int)) else _refuse(value, "a size such as 10MiB")


def _target(value: object) -> Target:
    return (
        parse_target(value)
        if isinstance(value, str)
        else _refuse(value, "a target such as http://127.0.0.1:8080")
    )


def _refuse(value: object, wanted: str) -> NoReturn:
    raise ValueError(f"{value!r} is not {wanted}")


Duration = Annotated[float, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
NAME_FORM = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_FORM)]
Method = Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitsModel(_Strict):
    """What Hoster enforces. A limit that is not named is the one that Hoster takes without a header: the smallest plan's."""

    max_deployments: int = Field(default=1, ge=0)
    max_cpu_cores: float | int = Field(default=1, ge=0)
    max_memory_mb: int = Field(default=1024, ge=0)
    max_disk_mb: int = Field(default=5120, ge=0)
    allowed_capabilities: list[str] = []


class PlanModel(_Strict):
    requests_per_month: int = Field(ge=-1)
    rate_per_minute: int = Field(ge=1)
    burst: int = Field(ge=0)
    limits: LimitsModel = LimitsModel()


class HealthModel(_Strict):
    path: str = Field(pattern=r"^/\S*$")
    interval: Duration = Field(5.0, gt=0)


class UpstreamModel(_Strict):
    targets: list[Annotated[Target, BeforeValidator(_target)]] = Field(min_length=1)
    connect_timeout: Duration = Field(5.0, gt=0)
    response_timeout: Duration = Field(30.0, gt=0)
    idle_timeout: Duration = Field(300.0, gt=0)
    health: HealthModel | None = None
    reconcile: str | None = Field(None, pattern=r"^/\S*\{request_id\}\S*$")


class HeaderEdits(_Strict):
    set: dict[HeaderName, str | int | float | bool] = {}
    remove: list[HeaderName] = []


class RouteModel(_Strict):
    name: Name
    path: str
    match: MatchKind = MatchKind.GLOB
    host: str | None = Field(None, pattern=r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")
    methods: list[Method] | None = Field(None, min_length=1)
    headers: dict[HeaderName, str] = {}
    priority: int = 0
    enabled: bool = True
    auth_required: bool
    billing: bool = False
    metering_expr: str | None = None
    on_counters_failure: Literal["closed", "open"] = "closed"
    upstream: str
    path_rewrite: str | None = None
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    max_body: Size = DEFAULT_MAX_BODY


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFile:
    """What could be read, each part with its place; whoever compiles it adds faults to `document`."""

    document: Document
    default_plan: str | None
    plans: Mapping[str, PlanModel]
    upstreams: Mapping[str, UpstreamModel]
    routes: list[tuple[Place, RouteModel]]
    plan_names: frozenset[str]
    """Names that stand in the file, also of members that are faulty themselves."""
    upstream_names: frozenset[str]


_TOP = {"version", "default_plan", "plans", "upstreams", "routes"}


class RouteFileInvalid(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = sorted(set(faults))


def read_route_file(text: str, environment: Mapping[str, str]) -> RouteFile:
    """Reads as much as is right and notes every fault in `document.faults`; raises RouteFileInvalid when nothing is."""
    document = read_document(text, environment)
    top = document.value
    if not isinstance(top, dict):
        # Where it is not even YAML, that has been said.
        document.faults = document.faults or [
            Fault(1, "the file is not a mapping with version, plans, upstreams and routes")
        ]
        raise RouteFileInvalid(document.faults)
    for name in top.keys() - _TOP:
        document.fault((name,), f"unknown field {name!r}")
    for name in sorted(_TOP - top.keys()):
        document.fault((), f"{name!r} is missing")
    if top.get("version", 1) != 1:
        document.fault(("version",), "version must be 1")
    plans = _section(document, top, "plans", PlanModel)
    upstreams = _section(document, top, "upstreams", UpstreamModel)
    default_plan = top.get("default_plan")
    return RouteFile(
        document=document,
        default_plan=str(default_plan) if default_plan is not None else None,
        plans=plans,
        upstreams=upstreams,
        routes=_routes(document, top.get("routes")),
        plan_names=_names(top.get("plans")),
        upstream_names=_names(top.get("upstreams")),
    )


def _section(document: Document, top: dict[str, object], name: str, model: type[Model]) -> dict[str, Model]:
    members = top.get(name)
    if name not in top:
        return {}
    if not isinstance(members, dict):
        document.fault((name,), f"{name!r} is not a mapping of names")
        return {}
    for key in members:
        # A plan's name becomes a header, an upstream's a path in the statistics.
        if not re.fullmatch(NAME_FORM, key):
            document.fault(
                (name, key), f"{name} {key!r}: a name has letters, digits, '_', '.' and '-', at most 64"
            )
    read = ((key, _member(document, (name, key), value, model)) for key, value in members.items())
    return {key: value for key, value in read if value is not None}


def _routes(document: Document, members: object) -> list[tuple[Place, RouteModel]]:
    if members is None:
        return []
    if not isinstance(members, list):
        document.fault(("routes",), "'routes' is not a list")
        return []
    places: list[Place] = [("routes", index) for index in range(len(members))]
    read = [
        (place, _member(document, place, value, RouteModel))
        for place, value in zip(places, members, strict=True)
    ]
    return [(place, route) for place, route in read if route is not None]


def _member(document: Document, place: Place, value: object, model: type[Model]) -> Model | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for fault in error.errors():
            field = ".".join(str(part) for part in fault["loc"])
            sentence = _sentence(field, fault["type"], fault["msg"])
            document.fault((*place, *fault["loc"]), f"{_owner(place, value)}: {sentence}")
        wrong = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
    # What is right in it is still read, so that the compiler finds its other faults in the same run.
    if not isinstance(value, dict):
        return None
    right = {name: member for name, member in value.items() if name not in wrong}
    try:
        return model.model_validate(_stand_ins(place) | right)
    except ValidationError:
        return None


def _stand_ins(place: Place) -> dict[str, object]:
    """For what a faulty route lacks, chosen so that they add no faults of their own."""
    if place[0] != "routes":
        return {}
    return {"name": f"unnamed-{place[-1]}", "path": "/", "auth_required": True, "upstream": NO_UPSTREAM}


def _owner(place: Place, value: object) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return f"route {name}" if place[0] == "routes" and name else " ".join(str(part) for part in place)


def _sentence(field: str, kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return f"unknown field {field!r}"
        case "missing":
            return f"{field!r} is missing"
        case _:
            return f"{field}: {message.removeprefix('Value error, ')}" if field else message


def _names(section: object) -> frozenset[str]:
    return frozenset(section) if isinstance(section, dict) else frozenset()
