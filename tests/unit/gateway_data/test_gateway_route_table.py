"""Patterns and matching, by the contract's own examples."""

from pathlib import Path

import pytest

from gateway.errors import RouteNotFound
from gateway.routes.compiling import load_table
from gateway.routes.table import RouteTable
from gateway.rules.canonical_target import canonical_target
from gateway.rules.route_pattern import BadPattern, MatchKind, compile_pattern, literal_prefix
from shared.relay.director import Field, Peer, RequestHead

PLANS = """
version: 1
default_plan: free
plans: {free: {requests_per_month: 10, rate_per_minute: 60, burst: 5, limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}}
upstreams: {hoster: {targets: ["http://127.0.0.1:1"]}}
"""


def table_of(*routes: str) -> RouteTable:
    return load_table(f"{PLANS}routes:\n" + "".join(f"  - {route}\n" for route in routes), {})


def head_of(
    method: str, target: str, host: str = "localhost", fields: list[Field] | None = None
) -> RequestHead:
    return RequestHead(
        request_id="id",
        method=method,
        target=target,
        host=host,
        http11=True,
        fields=fields or [],
        peer=Peer("192.0.2.1", 5),
        content_length=0,
        websocket=False,
    )


def found(
    table: RouteTable, method: str, target: str, host: str = "localhost", fields: list[Field] | None = None
) -> str | None:
    try:
        return table.match(head_of(method, target, host, fields), canonical_target(target)).route.name
    except RouteNotFound:
        return None


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/*", ["/", "/a", "/a/b"], []),
        ("/api/*", ["/api/", "/api/x", "/api/x/y"], ["/api", "/apix"]),
        ("/api/", ["/api/"], ["/api", "/api/x"]),
        (
            "/api/v1/deployments*",
            ["/api/v1/deployments", "/api/v1/deployments/1/start"],
            ["/api/v1/deployment"],
        ),
        ("/a*b", ["/a*b"], ["/axb"]),
        ("/a.b/*", ["/a.b/"], ["/aXb/"]),
    ],
)
def test_in_a_glob_only_a_trailing_star_is_special(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    compiled = compile_pattern(MatchKind.GLOB, pattern)

    assert [path for path in matching if compiled.match(path) is None] == []
    assert [path for path in others if compiled.match(path) is not None] == []


def test_a_regular_expression_must_match_the_whole_path() -> None:
    compiled = compile_pattern(MatchKind.REGEX, "/a/(?P<id>[0-9]+)")

    assert compiled.match("/a/12") == {"id": "12"}
    assert compiled.match("/a/12/b") is None
    assert compiled.match("/x/a/12") is None


def test_a_pattern_that_does_not_compile_is_refused() -> None:
    with pytest.raises(BadPattern):
        compile_pattern(MatchKind.REGEX, "(")
    with pytest.raises(BadPattern):
        compile_pattern(MatchKind.GLOB, "api/*")


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ("^/api/v1/deployments(/[^/]+)?$", "/api/v1/deployments"),
        ("/ab*c", "/a"),
        ("/a|/b", ""),
        ("/x(a|b)", "/x"),
        (r"/a\.b", "/a"),
        ("(?i)/a", ""),
        ("/a{2}", "/"),
        ("/[|]a", "/"),
    ],
)
def test_the_literal_beginning_of_a_pattern_is_never_longer_than_it_may_be(source: str, prefix: str) -> None:
    assert literal_prefix(source) == prefix


def test_only_what_changes_a_deployment_is_billed_by_the_shipped_file() -> None:
    table = load_table((Path(__file__).parents[3] / "deploy/routes.yaml").read_text(), {})
    billed = [("POST", ""), ("DELETE", "/1"), ("POST", "/1/start"), ("POST", "/1/stop")]
    free = [
        ("GET", ""),
        ("GET", "/1"),
        ("PATCH", "/1"),
        ("POST", "/1/restart"),
        ("GET", "/1/monitoring/stats"),
        ("POST", "/1/a/start"),
    ]

    assert {found(table, method, "/api/v1/deployments" + rest) for method, rest in billed} == {
        "hoster-billing"
    }
    assert {found(table, method, "/api/v1/deployments" + rest) for method, rest in free} == {"hoster-api"}
    assert found(table, "POST", "/nodes/v1/join") == "hoster-nodes"
    assert found(table, "GET", "/api") == "hoster-front"
    assert found(table, "GET", "/x/../api/v1/me") == "hoster-api"
    assert found(table, "GET", "/%61pi/v1/me") == "hoster-api"


def test_the_highest_priority_wins_and_equal_ones_go_by_the_file() -> None:
    table = table_of(
        '{name: low, path: "/*", auth_required: false, upstream: hoster}',
        '{name: first, path: "/a*", priority: 5, auth_required: false, upstream: hoster}',
        '{name: second, path: "/a/*", priority: 5, auth_required: false, upstream: hoster}',
        "{name: exact, path: /a/b, match: exact, priority: 1, auth_required: false, upstream: hoster}",
    )

    assert found(table, "GET", "/a/b") == "first"
    assert found(table, "GET", "/c") == "low"


def test_host_method_and_headers_narrow_a_route() -> None:
    table = table_of(
        '{name: host, path: "/*", host: "*.example.org", priority: 9, auth_required: false, upstream: hoster}',
        '{name: one-host, path: "/*", host: api.test, priority: 8, auth_required: false, upstream: hoster}',
        '{name: version, path: "/*", headers: {X-Version: "2"}, priority: 7, auth_required: false, upstream: hoster}',
        '{name: agent, path: "/*", headers: {User-Agent: "~^curl/"}, priority: 6, auth_required: false, upstream: hoster}',
        '{name: put, path: "/*", methods: [PUT], priority: 5, auth_required: false, upstream: hoster}',
        '{name: "off", path: "/*", enabled: false, priority: 4, auth_required: false, upstream: hoster}',
    )

    assert found(table, "GET", "/", "a.b.example.org:8082") == "host"
    assert found(table, "GET", "/", "example.org") is None
    assert found(table, "GET", "/", "api.test:80") == "one-host"
    assert found(table, "GET", "/", fields=[(b"x-version", b"2")]) == "version"
    assert found(table, "GET", "/", fields=[(b"user-agent", b"curl/8")]) == "agent"
    assert found(table, "PUT", "/") == "put"
    assert found(table, "GET", "/") is None


@pytest.mark.parametrize("count", [3, 1000])
def test_of_however_many_routes_only_those_are_tried_that_begin_as_the_path_does(count: int) -> None:
    routes = [
        f'{{name: r{n}, path: "/svc{n:04}/*", auth_required: false, upstream: hoster}}' for n in range(count)
    ]
    table = table_of('{name: rest, path: "/*", auth_required: false, upstream: hoster}', *routes)

    tried = [route.name for route in table.candidates("/svc0002/x")]

    assert tried == ["rest", "r2"]
