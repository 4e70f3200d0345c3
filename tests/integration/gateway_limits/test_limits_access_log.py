"""The access log: one line for each request, whatever became of it, and nothing secret in any of them."""

import json
import time
from pathlib import Path
from typing import Any

from gateway.observation import access_log
from gateway.observation.access_log import AccessLog
from shared.clock import SystemClock
from tests.integration.gateway_limits.stage import Stage, bearer, running_stage
from tests.servers.threaded_origin import threaded_origin

ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: 1, rate_per_minute: 6000, burst: 100,
         limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}}}
upstreams: {{app: {{targets: ["http://127.0.0.1:{port}"]}}}}
routes:
  - {{name: bill, path: "/bill*", priority: 9, auth_required: true, billing: true, upstream: app}}
  - {{name: private, path: "/private*", priority: 8, auth_required: true, upstream: app}}
  - {{name: open, path: "/open*", auth_required: false, upstream: app}}
"""


def lines(stage: Stage, request_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """By request id; those that are written a moment later are waited for."""
    deadline = time.monotonic() + 10
    while True:
        found: dict[str, list[dict[str, Any]]] = {request_id: [] for request_id in request_ids}
        for line in stage.log.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "request" and event["request_id"] in found:
                found[event["request_id"]].append(event)
        if all(found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_every_request_has_one_line_whatever_became_of_it(tmp_path: Path) -> None:
    secret = "ak_" + "Secret0123" * 5
    with (
        threaded_origin() as port,
        running_stage(tmp_path / "log", ROUTES.format(port=port), ACCESS_LOG="1") as stage,
    ):
        token = stage.sign_up("ann")
        replies = [
            stage.ask("GET", f"/open/a?api_key={secret}&x=hidden"),
            stage.ask("POST", "/bill", bearer(token)),
            stage.ask("POST", "/bill", bearer(token)),
            stage.ask("GET", "/private/b", bearer("a.b.c")),
            stage.ask("GET", f"/nowhere/{secret}"),
            stage.ask("POST", "/open/hang-up"),
            stage.ask("TRACE", "/open"),
            stage.ask("GET", "/mod/auth/me", bearer(token)),
        ]
        ids = [reply.fields["x-request-id"] for reply in replies]
        found = lines(stage, ids)
        written = stage.log.read_text()
        user_id = replies[-1].problem["user"]["id"]

    assert {request_id: len(noted) for request_id, noted in found.items()} == dict.fromkeys(ids, 1)
    said = [found[request_id][0] for request_id in ids]
    assert [line["status"] for line in said] == [200, 200, 402, 401, 404, 502, 405, 200]
    assert [line.get("code") for line in said] == [
        None, None, "quota_exceeded", "invalid_token", "route_not_found", None, "method_not_allowed", None,
    ]  # fmt: skip
    billed = said[1]
    assert {name: billed[name] for name in ("client", "method", "path", "route", "lane", "user_id")} == {
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/bill",
        "route": "bill",
        "lane": "billing",
        "user_id": user_id,
    }
    assert (billed["response_bytes"], billed["latency_ms"] > 0) == (2, True)
    assert (said[5]["ending"], said[7]["route"]) == ("upstream_failed", "control")
    assert secret not in written
    assert token not in written
    assert "hidden" not in written


def test_without_being_asked_for_there_is_none(tmp_path: Path) -> None:
    with threaded_origin() as port, running_stage(tmp_path / "log", ROUTES.format(port=port)) as stage:
        stage.ask("GET", "/open/a")
        written = stage.log.read_text()

    assert '"event": "listening"' in written
    assert '"request"' not in written


def test_lines_that_cannot_be_written_in_time_are_counted() -> None:
    log = AccessLog("json", SystemClock(), lambda _lines: None)
    for _ in range(access_log.MOST_WAITING + 3):
        log.note({"event": "request"})

    *_, last = log.taken().splitlines()

    assert (json.loads(last)["event"], json.loads(last)["lines"]) == ("access_log_lost", 3)
