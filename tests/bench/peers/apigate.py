"""APIGate as one process, with everything it always does: signed identity, one EVALSHA, two journal records, the ledger behind."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.free_ports import free_port

ROUTES = 3
_ROUTES = """
version: 1
default_plan: free
plans:
  free: {{requests_per_month: -1, rate_per_minute: 60000000, burst: 5000000,
         limits: {{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1024, max_disk_mb: 5120, allowed_capabilities: []}}}}
upstreams:
  app: {{targets: ["http://127.0.0.1:{upstream}"]}}
  streams: {{targets: ["http://127.0.0.1:{streams}"]}}
routes:
  - {{name: billing, path: "/billing/*", priority: 60, auth_required: true, billing: true, metering_expr: "1.0", upstream: app}}
  - {{name: identity, path: "/identity/*", priority: 50, auth_required: true, upstream: app}}
  - {{name: plain, path: "/*", priority: 10, auth_required: false, upstream: app}}
{more}
"""
REPOSITORY = Path(__file__).parents[3]


def route_file(upstream_port: int, routes: int = ROUTES, streams_port: int | None = None) -> str:
    """A lane each, perhaps `/events` to where event streams are, and as many more as are wanted, whose literal beginnings have many lengths: what a look-up by length likes least."""
    more = "\n".join(
        f'  - {{name: more-{number}, path: "/{"m" * (number % 24)}ore/{number}/*", priority: 40, auth_required: false, upstream: app}}'
        for number in range(routes - ROUTES)
    )
    if streams_port is not None:
        more += (
            '\n  - {name: streams, path: "/events", priority: 70, auth_required: false, upstream: streams}'
        )
    return _ROUTES.format(upstream=upstream_port, streams=streams_port or upstream_port, more=more)


class ApiGate:
    name = "APIGate"
    leaves_out: ClassVar[Mapping[Lane, str]] = {Lane.PLAIN: "", Lane.IDENTITY: "", Lane.BILLING: ""}

    def __init__(
        self,
        name: str = "apigate",
        *,
        workers: int = 1,
        routes: int = ROUTES,
        streams_port: int | None = None,
    ) -> None:
        """`name` is of its folder."""
        self._folder = name
        self._workers = workers
        self._routes = routes
        self._streams_port = streams_port

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        with self.serving(own_folder(site, self._folder)) as (pid, port):
            base = f"http://127.0.0.1:{port}"
            signed_up = _asked(port, "POST", "/mod/auth/register", body=_CREDENTIALS)
            headers = {"Authorization": f"Bearer {signed_up['token']}"}
            yield Running(
                pid,
                {
                    Lane.PLAIN: f"{base}/",
                    Lane.IDENTITY: f"{base}/identity/",
                    Lane.BILLING: f"{base}/billing/",
                },
                {Lane.IDENTITY: headers, Lane.BILLING: headers},
                signed_up["user"]["id"],
                lambda: _counted(port, headers),
            )

    @contextmanager
    def serving(self, place: Site) -> Iterator[tuple[int, int]]:
        """Its pid and its port; its data are in the folder of `place`, where those of an earlier run may be."""
        port, log = free_port(), place.folder / "gateway.log"
        with program(self.command, log, self.environment(place, port), REPOSITORY) as pid:
            wait_for(port, log)
            yield pid, port

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "gateway"]

    def environment(self, place: Site, port: int) -> dict[str, str]:
        """Writes the route file, too."""
        routes = place.folder / "routes.yaml"
        routes.write_text(route_file(place.upstream_port, self._routes, self._streams_port))
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "GATEWAY_ROUTES": str(routes),
            "GATEWAY_DATA_DIR": str(data_folder(place)),
            "GATEWAY_WORKERS": str(self._workers),
            "REDIS_URL": f"redis://127.0.0.1:{place.redis_port}/0",
            "IDENTITY_SECRET": "a-secret-for-measurements-of-32-bytes",
            "LOG_LEVEL": "error",
        }


_CREDENTIALS = {"email": "me@example.com", "password": "correct horse battery"}


def data_folder(place: Site) -> Path:
    return place.folder / "data"


def _counted(port: int, headers: Mapping[str, str]) -> int:
    """What both the counter in Redis and the ledger on the disk have."""
    usage = _asked(port, "GET", "/mod/usage", headers)
    return min(int(usage["quota"]["used"]), sum(int(total["count"]) for total in usage["totals"]))


def _asked(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: object = None
) -> dict[str, Any]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
        answer: dict[str, Any] = json.load(connection.getresponse())
        return answer
