"""Answers of the API that are as long as it lets them be, without a space to break at, or with letters that run the other way."""

import json
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

_ID = "dep_" + "0" * 32
_AT = "2026-01-01T00:00:00Z"
_WORD = "w" * 250
_HOST = ".".join(["h" * 60] * 4)
_RTL = "\u0645\u0631\u062d\u0628\u0627 (test)"
_RESOURCES = {"cpu_cores": 64, "memory_mb": 512_000, "disk_mb": 9_000_000}
_DEPLOYMENT = {
    "id": _ID, "name": "n" * 60, "template_id": None, "template_revision": None, "visibility": "private",
    "source": {"git": {"url": f"https://git.example.com/{_WORD}", "ref": _WORD[:200]}, "port": 80},
    "status": "failed", "status_reason": f"The image {_WORD} could not be fetched",
    "node_id": "node_1", "url": f"http://{_HOST}/", "hosts": [_HOST, _HOST],
    "variables": {"V" * 60: _WORD * 20, "LINES": "one\ntwo", "RTL": _RTL}, "pending_changes": ["variables." + "V" * 60],
    "resources": _RESOURCES, "release_id": None,
    "created_at": _AT, "updated_at": _AT, "started_at": None, "stopped_at": None,
}  # fmt: skip
_STEP = {"name": "preparing", "started_at": _AT, "finished_at": _AT, "detail": _WORD}
_DEPLOY = {
    "deploy_id": "dpl_1", "status": "failed", "reason": _WORD, "steps": [_STEP], "log_tail": [_WORD],
    "health_attempts": [{"at": _AT, "outcome": _WORD}],
}  # fmt: skip
_RELEASES = [
    {
        "id": f"rel_{number}" + "0" * 32, "status": "failed", "reason": _WORD, "current": False, "template_revision": 1,
        "source": None, "variables": {"V" * 60: f"{number}{_WORD}"}, "restores": None,
        "images": [{"service": "web", "image": _WORD, "digest": None}], "created_at": _AT, "deployed_at": None,
    }
    for number in range(2)
]  # fmt: skip
_DOMAIN = {
    "hostname": _HOST, "status": "pending", "problem": _WORD, "created_at": _AT, "verified_at": None,
    "records": [{"type": "TXT", "name": _HOST, "value": _WORD}],
}  # fmt: skip
_NODE = {
    "id": "node_1", "name": "n" * 100, "status": "offline", "public": False, "address": f"http://{_HOST}:8081",
    "capabilities": ["c" * 60], "capacity": {**_RESOURCES, "used": _RESOURCES}, "location": "l" * 100, "version": "1.0.0",
    "last_seen_at": _AT,
    "bootstrap": {
        "status": "failed", "host": _HOST, "user": "root", "host_key_fingerprint": "SHA256:" + "k" * 43,
        "host_key_pinned": True, "reason": _WORD, "log": [{"at": _AT, "message": _WORD}],
    },
}  # fmt: skip
_SSH_KEY = {
    "id": "k",
    "name": "k" * 100,
    "public_key": f"ssh-rsa {_WORD}",
    "fingerprint": _WORD[:50],
    "created_at": _AT,
}
_API_KEY = {
    "id": "k",
    "name": "k" * 100,
    "prefix": "ak",
    "created_at": _AT,
    "last_used_at": None,
    "expires_at": _AT,
}
_ROUTES: dict[str, Any] = {
    "/api/v1/deployments": [_DEPLOYMENT, {**_DEPLOYMENT, "id": f"{_ID}1", "name": _RTL}],
    f"/api/v1/deployments/{_ID}": _DEPLOYMENT,
    f"/api/v1/deployments/{_ID}/deploys": [_DEPLOY],
    f"/api/v1/deployments/{_ID}/releases": _RELEASES,
    f"/api/v1/deployments/{_ID}/domains": [_DOMAIN],
    f"/api/v1/deployments/{_ID}/monitoring/events": [
        {"id": "e", "type": "container_died", "container": "s" * 60, "message": _WORD, "timestamp": _AT}
    ],
    f"/api/v1/deployments/{_ID}/monitoring/health": {
        "status": "unhealthy",
        "containers": [
            {"name": "s" * 60, "status": "exited", "health": "unhealthy", "started_at": _AT, "restarts": 1}
        ],
        "checked_at": _AT,
    },
    "/api/v1/nodes": [_NODE],
    "/api/v1/nodes/node_1": _NODE,
    "/api/v1/ssh_keys": [_SSH_KEY],
    "/mod/keys": [_API_KEY],
}

LONG_PAGES = (
    "/deployments", "/nodes", "/ssh-keys", "/api-keys",
    *(f"/deployments/{_ID}{tab}" for tab in ("", "/logs", "/releases", "/variables", "/domains", "/events")),
)  # fmt: skip


def answer_at_length(page: Page) -> None:
    """From here on, to what `LONG_PAGES` ask."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.endswith("/monitoring/stream"):
            return route.fulfill(content_type="text/event-stream", body=f"{_log()}event: end\ndata: {{}}\n\n")
        if path not in _ROUTES:
            return route.fallback()
        found = _ROUTES[path]
        if isinstance(found, list):
            found = {"items": found, "next_cursor": None, "total": len(found)}
        return route.fulfill(json=found)

    page.route("**/api/v1/**", answer)
    page.route("**/mod/keys", answer)


def _log() -> str:
    line = {"container": "s" * 60, "timestamp": _AT, "stream": "stderr", "message": _WORD * 40}
    return f"id: 1\nevent: log\ndata: {json.dumps(line)}\n\n"
