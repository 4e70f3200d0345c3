"""The OpenAPI document, put together from routes and what is said about them. Pure.

What follows from the code is not said twice: identity from the access of a route, 404 from an id in its path, 422 and 413 from what it
reads, the Idempotency-Key from its method, conditional requests from 304 and 412, entity tags from what is shown.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from hoster.access import Access, Route
from hoster.openapi.operation import EVENT_STREAM, NO_BODY, Operation, Query, Schema
from hoster.openapi.schemas import SCHEMAS, TEXT, ref
from shared import sse
from shared.problem import CONTENT_TYPE as PROBLEM

DESCRIBED = re.compile(r"/(?:api/v1|nodes/v1)/|/health$|/stats$")
"""What is for others than APIGate and browsers."""

_Response = dict[str, Any]

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_COMPONENT = "#/components/schemas/{model}"
_IDEMPOTENCY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The first answer under a key is kept for 24 h and given again.",
}  # fmt: skip

_REPLAYED = "Idempotency-Replayed"
_TAGGED: tuple[Schema, ...] = (ref("Deployment"), ref("Template"))
"""What is shown with its entity tag."""


def described(routes: Iterable[Route]) -> list[Route]:
    return [route for route in routes if DESCRIBED.match(route.path) and "{path" not in route.path]


def build_document(
    routes: Iterable[Route], operations: Mapping[tuple[str, str], Operation], server: str
) -> dict[str, object]:
    paths: dict[str, dict[str, object]] = {}
    schemas: dict[str, object] = dict(SCHEMAS)
    for route in described(routes):
        operation = operations[route.method, route.path]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hoster", "version": "1", "description": "Templates, deployments, nodes, domains and SSH keys."},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token or API key, given to APIGate."}
            },
        },
    }  # fmt: skip


def _operation(route: Route, operation: Operation, schemas: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {
        "operationId": _operation_id(route),
        "summary": operation.summary,
        "tags": [_tag(route.path)],
        "parameters": _parameters(route, operation),
        "responses": _responses(route, operation),
        "security": [{"bearer": []}] if route.access is Access.VIEWER else [],
    }
    if operation.body is not None:
        schema = _body(operation.body, schemas, partial=operation.partial)
        content = {"application/json": {"schema": schema}}
        found["requestBody"] = {"required": operation.body_required, "content": content}
    return found


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z0-9]+", route.path.removeprefix("/api/v1"))
    return "_".join([route.method.lower(), *words])


def _tag(path: str) -> str:
    words = re.findall(r"[a-z_]+", path.removeprefix("/api/v1"))
    return words[0] if words else "status"


def _parameters(route: Route, operation: Operation) -> list[object]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(route.path)
    ]
    in_query = [_query(query) for query in operation.query]
    return [*in_path, *in_query, *_header_parameters(route, operation)]


def _header_parameters(route: Route, operation: Operation) -> list[object]:
    found: list[object] = [_IDEMPOTENCY] if _is_kept(route) else []
    if HTTPStatus.NOT_MODIFIED in operation.answers:
        found.append(_header("If-None-Match", "304 to a reader who has it already"))
    if HTTPStatus.PRECONDITION_FAILED in operation.problems:
        found.append(_header("If-Match", "only if it is still as it was read with this ETag"))
    if operation.answers.get(HTTPStatus.OK) is EVENT_STREAM:
        found.append(_header("Last-Event-ID", "where the reader was"))
    return found


def _header(name: str, description: str) -> dict[str, object]:
    return {"name": name, "in": "header", "required": False, "schema": TEXT, "description": description}


def _is_kept(route: Route) -> bool:
    """Whether its answer is kept under an Idempotency-Key."""
    return route.method == "POST" and route.access is Access.VIEWER


def _query(query: Query) -> dict[str, object]:
    described_by = {"description": query.description} if query.description else {}
    return {"name": query.name, "in": "query", "required": False, "schema": query.schema, **described_by}


def _responses(route: Route, operation: Operation) -> dict[str, object]:
    answers = {
        str(status): _answer(status, schema, operation) for status, schema in operation.answers.items()
    }
    problems = {str(status): _problem(status) for status in _problem_statuses(route, operation)}
    if _is_kept(route):
        for status, answer in (answers | problems).items():
            if int(status) < HTTPStatus.INTERNAL_SERVER_ERROR:
                answer["headers"] = {**answer.get("headers", {}), _REPLAYED: {"schema": TEXT}}
    return {**dict(sorted(problems.items())), **answers}


def _problem_statuses(route: Route, operation: Operation) -> set[int]:
    found = {*operation.problems, 503}  # the database is full or busy
    if route.access is not Access.NODE:
        found.add(401)  # an identity that is given is always verified
    if route.access is Access.VIEWER:
        found.add(400)  # limits of the plan that cannot be read
    if "{id}" in route.path:
        found.add(404)
    if operation.query:
        found.add(422)
    if operation.body is not None:
        found |= {400, 408, 413, 422}  # a body that does not come, or not before the service stops
    if _is_kept(route):
        # An Idempotency-Key that is in use, or was used for something else; and a body that is not asked for is read all the same.
        found |= {408, 409, 413, 422}
    return found


def _answer(status: int, schema: Schema, operation: Operation) -> _Response:
    answer: _Response = {"description": HTTPStatus(status).phrase}
    if schema is EVENT_STREAM:
        answer["content"] = {sse.CONTENT_TYPE: {"schema": TEXT}}
    elif schema is not NO_BODY:
        answer["content"] = {"application/json": {"schema": schema}}
    tags = ("ETag",) if schema in _TAGGED or status == HTTPStatus.NOT_MODIFIED else ()
    if operation.headers or tags:
        answer["headers"] = {name: {"schema": TEXT} for name in (*operation.headers, *tags)}
    return answer


def _problem(status: int) -> _Response:
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": ref("Problem")}}}


def _body(model: type[BaseModel], schemas: dict[str, object], *, partial: bool) -> Schema:
    schema = model.model_json_schema(ref_template=_COMPONENT)
    schemas.update(schema.pop("$defs", {}))
    name = f"{model.__name__}Change" if partial else model.__name__
    if partial:
        schema.pop("required", None)
    schemas[name] = schema
    return ref(name)
