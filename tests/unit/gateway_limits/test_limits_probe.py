"""`check --probe`: what a request of any kind would get."""

import pytest

from gateway.routes.checking import probe
from gateway.routes.compiling import load_table
from shared.relay.director import Field

ROUTES = """
version: 1
default_plan: free
plans:
  free: {requests_per_month: 1000, rate_per_minute: 60, burst: 5,
         limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120}}
  endless: {requests_per_month: -1, rate_per_minute: 600, burst: 50,
            limits: {max_deployments: 9, max_cpu_cores: 8, max_memory_mb: 8192, max_disk_mb: 9999}}
upstreams:
  app: {targets: ["http://127.0.0.1:8080", "http://127.0.0.1:8081"]}
  beta: {targets: ["http://127.0.0.1:9090"]}
routes:
  - {name: bill, path: "/bill/*", methods: [POST], priority: 9, auth_required: true, billing: true, upstream: app}
  - {name: by-host, path: "/*", host: "*.beta.example", priority: 8, auth_required: false, upstream: beta}
  - {name: by-header, path: "/*", headers: {X-Channel: "~^beta"}, priority: 7, auth_required: false, upstream: beta}
  - {name: rewritten, match: regex, path: "/old/(?P<id>[0-9]+)", priority: 6, auth_required: true, upstream: app,
     path_rewrite: "'/new/' + params.id"}
  - {name: broken, path: "/broken", priority: 6, auth_required: true, upstream: app, path_rewrite: "params.nothing"}
  - {name: api, path: "/api/*", auth_required: true, upstream: app, max_body: 1KiB}
"""
BETA: list[Field] = [(b"X-Channel", b"beta-2")]


@pytest.mark.parametrize(
    ("method", "target", "host", "fields", "expected"),
    [
        ("POST", "/bill//x?api_key=k&a=1", "a", [], {"route": "bill", "lane": "billing", "target": "/bill/x?a=1"}),
        ("GET", "/bill/x", "a", [], {"answer": "404 route_not_found"}),
        ("GET", "/x", "a.BETA.example", [], {"route": "by-host", "upstream": "beta (http://127.0.0.1:9090)"}),
        ("GET", "/x", "beta.example", [], {"answer": "404 route_not_found"}),
        ("GET", "/x", "a", BETA, {"route": "by-header", "lane": "public"}),
        ("GET", "/old/7?q", "a", [], {"route": "rewritten", "path": "/old/7", "target": "/new/7?q"}),
        ("GET", "/broken", "a", [], {"answer": "500 rewrite_failed"}),
        ("GET", "/api/x", "a", [], {"lane": "authenticated", "max_body": "1024 bytes"}),
        ("GET", "/a%2Fb", "a", [], {"answer": "400 bad_path"}),
        ("POST", "/mod/auth/login", "a", [], {"route": "the gateway's own"}),
        ("GET", "/health", "a.beta.example", [], {"route": "the gateway's own"}),
    ],
)  # fmt: skip
def test_a_probe_tells_what_a_request_would_get(
    method: str, target: str, host: str, fields: list[Field], expected: dict[str, str]
) -> None:
    shown = dict(line.split(": ", 1) for line in probe(load_table(ROUTES, {}), method, target, host, fields))

    answer = expected.pop("answer", None)
    if answer is not None:
        assert shown["answer"].split(" (")[0] == answer.split(" (")[0]
    assert shown.items() >= expected.items()


def test_a_probe_of_a_billed_route_tells_the_limits_of_every_plan() -> None:
    shown = dict(line.split(": ", 1) for line in probe(load_table(ROUTES, {}), "POST", "/bill/x", "a"))

    assert shown["limits of free"] == "1000 a month, 60 a minute, burst 5"
    assert shown["limits of endless"] == "unlimited, 600 a minute, burst 50"
    assert shown["upstream"] == "app (http://127.0.0.1:8080, http://127.0.0.1:8081)"
    assert shown["without counters"] == "refused"
