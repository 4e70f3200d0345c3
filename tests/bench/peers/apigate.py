"""APIGate as one process, with everything it always does: signed identity, one EVALSHA, two journal records, the ledger behind."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar

from tests.bench.peers.contender import Lane, Running, Site, free_port, own_folder, program, wait_for

_ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: -1, rate_per_minute: 60000000, burst: 5000000,
         limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: []}}}}
upstreams:
  app: {{targets: ["http://127.0.0.1:{upstream}"]}}
routes:
  - {{name: billing, path: "/billing/*", priority: 60, auth_required: true, billing: true, metering_expr: "1.0", upstream: app}}
  - {{name: identity, path: "/identity/*", priority: 50, auth_required: true, upstream: app}}
  - {{name: plain, path: "/*", priority: 10, auth_required: false, upstream: app}}
{more}
"""
_REPOSITORY = Path(__file__).parents[3]


class ApiGate:
    name = "APIGate"
    leaves_out: ClassVar[Mapping[Lane, str]] = {Lane.PLAIN: "", Lane.IDENTITY: "", Lane.BILLING: ""}

    def __init__(self, workers: int = 1, more_routes: int = 0) -> None:
        self._workers = workers
        self._more_routes = more_routes

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place, port = own_folder(site, f"apigate-{self._workers}-{self._more_routes}"), free_port()
        more = "\n".join(
            f'  - {{name: more-{number}, path: "/more/{number}/*", priority: 40, auth_required: false, upstream: app}}'
            for number in range(self._more_routes)
        )
        routes = place.folder / "routes.yaml"
        routes.write_text(_ROUTES.format(upstream=site.upstream_port, more=more))
        environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "GATEWAY_ROUTES": str(routes),
            "GATEWAY_DATA_DIR": str(place.folder / "data"),
            "GATEWAY_WORKERS": str(self._workers),
            "REDIS_URL": f"redis://127.0.0.1:{site.redis_port}/0",
            "IDENTITY_SECRET": "a-secret-for-measurements-of-32-bytes",
            "LOG_LEVEL": "error",
        }
        log = place.folder / "gateway.log"
        with program([sys.executable, "-m", "gateway"], log, environment, _REPOSITORY) as pid:
            wait_for(port, log)
            base = f"http://127.0.0.1:{port}"
            headers = {"Authorization": f"Bearer {_sign_up(port)}"}
            yield Running(
                pid,
                {
                    Lane.PLAIN: f"{base}/",
                    Lane.IDENTITY: f"{base}/identity/",
                    Lane.BILLING: f"{base}/billing/",
                },
                {Lane.IDENTITY: headers, Lane.BILLING: headers},
            )


def _sign_up(port: int) -> str:
    body = json.dumps({"email": "me@example.com", "password": "correct horse battery"})
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        connection.request("POST", "/mod/auth/register", body, {"Content-Type": "application/json"})
        return str(json.load(connection.getresponse())["token"])
