"""A template, its immutable revisions, and the variables that a deployment fills in."""

from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.resources import Resources

Scalar = str | int | float | bool

HIDDEN = "***"
"""What is shown of a password."""


class VariableType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    PASSWORD = "password"  # noqa: S105 - the name of a type
    SELECT = "select"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """`pattern` is matched against the whole text of the value."""

    name: str
    label: str
    type: VariableType
    default: Scalar | None
    required: bool
    options: tuple[str, ...]
    pattern: str | None

    def as_json(self) -> dict[str, object]:
        secret = self.type is VariableType.PASSWORD and self.default is not None
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type.value,
            "default": HIDDEN if secret else self.default,
            "required": self.required,
            "options": list(self.options),
            "pattern": self.pattern,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDocument:
    """What a revision says. `compose` is the text as its author wrote it."""

    name: str
    description: str
    category: str
    tags: tuple[str, ...]
    version: str
    compose: str
    variables: tuple[Variable, ...]
    resources: Resources
    required_capabilities: frozenset[str]
    price_monthly_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`author_id` None: shipped with the product."""

    id: str
    slug: str
    author_id: str | None
    revision: int
    published: bool
    created_at: float
    updated_at: float
    document: TemplateDocument

    def as_json(self) -> dict[str, object]:
        document = self.document
        return {
            "id": self.id,
            "name": document.name,
            "slug": self.slug,
            "description": document.description,
            "category": document.category,
            "tags": list(document.tags),
            "version": document.version,
            "revision": self.revision,
            "compose": document.compose,
            "variables": [variable.as_json() for variable in document.variables],
            "resources": document.resources.as_json(),
            "required_capabilities": sorted(document.required_capabilities),
            "price_monthly_cents": document.price_monthly_cents,
            "published": self.published,
            "author_id": self.author_id,
        }
