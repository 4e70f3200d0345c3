"""The OpenAPI document is true: to the routes, and to what they answer."""

from typing import Any

import pytest

from hoster.app import ROUTES
from hoster.openapi.document import build_document, described
from hoster.openapi.operations import OPERATIONS
from tests.bench.api_fuzz import measure


def test_every_route_of_the_api_is_described_and_nothing_else() -> None:
    assert {(route.method, route.path) for route in described(ROUTES)} == set(OPERATIONS)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = build_document(ROUTES, OPERATIONS, "http://localhost:8082")
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}  # type: ignore[index]

    def references(part: object) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(one) for one in part.values()))
        return set().union(*(references(one) for one in part)) if isinstance(part, (list, tuple)) else set()

    assert references(document) <= known


def test_what_a_header_does_is_described_where_it_does_it() -> None:
    paths: Any = build_document(ROUTES, OPERATIONS, "http://localhost:8082")["paths"]

    def named(method: str, path: str) -> set[str]:
        return {part["name"] for part in paths[path][method]["parameters"] if part["in"] == "header"}

    one = "/api/v1/deployments/{id}"
    assert named("get", one) == {"If-None-Match"}
    assert named("delete", one) == {"If-Match"}
    assert named("post", f"{one}/stop") == {"If-Match", "Idempotency-Key"}
    assert named("get", f"{one}/monitoring/logs/stream") == {"Last-Event-ID"}
    stopped = paths[f"{one}/stop"]["post"]["responses"]
    assert set(stopped["202"]["headers"]) == {"X-Event-Type", "ETag", "Idempotency-Replayed"}
    assert set(stopped["409"]["headers"]) == {"Idempotency-Replayed"}
    assert "headers" not in stopped["503"]


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_no_answer_is_an_error_of_ours_or_is_not_in_the_document() -> None:
    found = await measure(4)

    assert found.wrong == {}
    assert len(found.statuses) == len(OPERATIONS)
