"""What is said about one route."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

Schema = Mapping[str, object]

NO_BODY: Schema = {}
EVENT_STREAM: Schema = {"type": "string", "x-media-type": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Query:
    name: str
    schema: Schema
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`answers` are those without a problem, by status. `problems` are the statuses of those that neither the access, nor the path, nor
    the parameters and body explain. `partial`: every member of `body` may be left out.
    """

    summary: str
    answers: Mapping[int, Schema]
    body: type[BaseModel] | None = None
    body_required: bool = True
    partial: bool = False
    query: tuple[Query, ...] = ()
    problems: tuple[int, ...] = ()
    headers: tuple[str, ...] = field(default=())
