"""Reading a template document, from an author's body, a catalogue file or the database: one set of rules for all three."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from hoster.bodies import BodyInvalid, StrictBody, faults_of, is_one_line
from hoster.deployments.resources import Resources
from hoster.templates.compose import parse_compose
from hoster.templates.model import TemplateDocument, Variable, VariableType
from hoster.templates.passwords import new_password
from hoster.templates.rendering import overdrawn
from hoster.templates.stack import PLATFORM_VARIABLES, REFERENCE, Stack, referring
from hoster.templates.variables import NoPasswordMatches, wrong_with
from shared.plain_yaml import YamlRefused, read_plain_yaml
from shared.problem import FieldFault

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_UNBOUNDED = re.compile(r"(?<!\\)[*+{]")

Tag = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9-]+$")]


class VariableBody(StrictBody):
    name: str
    label: str = Field(default="", max_length=100)
    type: Literal["string", "number", "boolean", "password", "select"] = "string"
    default: str | int | float | bool | None = None
    required: bool = False
    options: list[str] = Field(default=[], max_length=100)
    pattern: str | None = Field(default=None, max_length=200)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise ValueError("must be letters, digits and underscores, at most 64")
        return name

    @field_validator("pattern")
    @classmethod
    def _ends_in_time(cls, pattern: str | None) -> str | None:
        """Authors' patterns run on other people's values. Without groups and with two repetitions at most, matching cannot explode."""
        if pattern is None:
            return None
        if "(" in pattern or "|" in pattern or len(_UNBOUNDED.findall(pattern)) > 2:
            raise ValueError("may have no groups, no alternatives and at most two repetitions")
        try:
            re.compile(pattern)
        except (re.error, OverflowError) as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _select_has_options(self) -> Self:
        if (self.type == "select") != bool(self.options):
            raise ValueError("options belong to type select, and only to it")
        return self


class ResourcesBody(StrictBody):
    cpu_cores: float = Field(ge=0.01, le=256, allow_inf_nan=False)
    memory_mb: int = Field(ge=16, le=4_194_304)
    disk_mb: int = Field(ge=1, le=1_073_741_824)


class TemplateBody(StrictBody):
    """The fields that an author may set."""

    name: str = Field(min_length=3, max_length=100)
    description: str = Field(default="", max_length=4000)
    category: str = Field(default="other", max_length=40, pattern=r"^[a-z0-9-]+$")
    tags: list[Tag] = Field(default=[], max_length=20)
    version: str = Field(default="1.0.0", pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")
    compose: str = Field(max_length=65_536)
    variables: list[VariableBody] = Field(default=[], max_length=100)
    resources: ResourcesBody
    required_capabilities: list[Tag] = Field(default=[], max_length=20)
    price_monthly_cents: int = Field(default=0, ge=0, le=100_000_000)


def read_document(members: Mapping[str, object]) -> TemplateDocument:
    """Raises BodyInvalid with every fault, of the compose file too (`compose.services.web.privileged`)."""
    try:
        body = TemplateBody.model_validate(members)
    except ValidationError as error:
        raise BodyInvalid(faults_of(error)) from None
    names = [variable.name for variable in body.variables]
    stack = read_stack(body.compose)
    document = _document(body)
    faults = [
        FieldFault(f"variables.{name}", "is declared twice")
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += [
        FieldFault(f"variables.{name}", "is a name that the platform fills in itself")
        for name in sorted(PLATFORM_VARIABLES.intersection(names))
    ]
    # Not in the model, which also reads what was written before this was asked.
    if not is_one_line(body.name):
        faults.append(FieldFault("name", "must be one line that is not blank"))
    faults += [
        FieldFault(f"variables.{index}.options", "must be different from each other, and none of them empty")
        for index, variable in enumerate(body.variables)
        if "" in variable.options or len(set(variable.options)) < len(variable.options)
    ]
    faults += _without_value(document.variables)
    faults += [FieldFault(field, message) for field, message in _wrong_references(stack, frozenset(names))]
    faults += [
        FieldFault(field, "is less than its services may use together")
        for field in overdrawn(stack, document.resources)
    ]
    if faults:
        raise BodyInvalid(faults)
    return document


def _without_value(variables: Iterable[Variable]) -> Iterator[FieldFault]:
    """A default that its own variable refuses, and a pattern that no generated password matches, would fail each deployment."""
    for index, variable in enumerate(variables):
        if variable.default not in {None, ""}:
            wrong = wrong_with(variable, variable.default)
            if wrong is not None:
                yield FieldFault(f"variables.{index}.default", wrong)
        elif variable.type is VariableType.PASSWORD:
            try:
                new_password(variable.pattern)
            except NoPasswordMatches:
                yield FieldFault(
                    f"variables.{index}.pattern",
                    "is one that no password can be generated for: give a default",
                )


def _wrong_references(stack: Stack, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    for field, text in referring(stack):
        if "${" in REFERENCE.sub("", text):
            yield (
                field,
                "has a ${...} that is not the plain name of a variable: there are no defaults or other forms",
            )
        for name in REFERENCE.findall(text):
            if name not in names | PLATFORM_VARIABLES:
                yield field, f"${{{name}}} is not one of the variables"


@lru_cache(maxsize=512)
def stored_document(text: str) -> TemplateDocument:
    """What `write_document` wrote. Its compose file was checked then, and is only read again when it is deployed.

    A revision never changes, so its reading is remembered.
    """
    return _document(TemplateBody.model_validate_json(text))


@lru_cache(maxsize=512)
def read_stack(compose: str) -> Stack:
    """Raises BodyInvalid."""
    return parse_compose(_compose_tree(compose))


def write_document(document: TemplateDocument) -> str:
    """The JSON that `stored_document` takes back."""
    members = {
        "name": document.name,
        "description": document.description,
        "category": document.category,
        "tags": list(document.tags),
        "version": document.version,
        "compose": document.compose,
        "variables": [
            {
                "name": variable.name,
                "label": variable.label,
                "type": variable.type.value,
                "default": variable.default,
                "required": variable.required,
                "options": list(variable.options),
                "pattern": variable.pattern,
            }
            for variable in document.variables
        ],
        "resources": document.resources.as_json(),
        "required_capabilities": sorted(document.required_capabilities),
        "price_monthly_cents": document.price_monthly_cents,
    }
    return json.dumps(members, sort_keys=True)


def _compose_tree(text: str) -> object:
    try:
        return read_plain_yaml(text)
    except YamlRefused as refused:
        raise BodyInvalid.of("compose", str(refused)) from None


def _document(body: TemplateBody) -> TemplateDocument:
    return TemplateDocument(
        name=body.name,
        description=body.description,
        category=body.category,
        tags=tuple(body.tags),
        version=body.version,
        compose=body.compose,
        variables=tuple(
            Variable(
                name=variable.name,
                label=variable.label or variable.name,
                type=VariableType(variable.type),
                default=variable.default,
                required=variable.required,
                options=tuple(variable.options),
                pattern=variable.pattern,
            )
            for variable in body.variables
        ),
        resources=Resources.of(body.resources.cpu_cores, body.resources.memory_mb, body.resources.disk_mb),
        required_capabilities=frozenset(body.required_capabilities),
        price_monthly_cents=body.price_monthly_cents,
    )
