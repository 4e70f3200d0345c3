"""HAProxy with one thread."""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.bench.peers.tokens import SECRET, USER_ID, shared_secret_token
from tests.free_ports import free_port

_CONFIGURATION = """
global
  stats socket {folder}/haproxy.sock level operator
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout http-keep-alive 60s
  option http-keep-alive
  http-reuse always
backend app
  server one 127.0.0.1:{upstream} pool-max-conn 256
backend limits
  stick-table type string len 64 size 1m expire 60s store http_req_rate(60s)
frontend door
  bind 127.0.0.1:{port} backlog 4096
  option forwardfor
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  http-request set-header X-Request-ID %[unique-id]
  acl identity path_beg /identity/ /billing/
  http-request set-var(txn.user) http_auth_bearer,jwt_payload_query('$.sub') if identity
  http-request deny deny_status 401 if identity !{{ http_auth_bearer,jwt_verify("HS256","{secret}") -m int 1 }}
  http-request set-var(txn.now) date if identity
  http-request deny deny_status 401 if identity {{ http_auth_bearer,jwt_payload_query('$.exp','int'),sub(txn.now) -m int lt 0 }}
  http-request set-header X-User-ID %[var(txn.user)] if identity
  http-request set-header X-Org-ID %[http_auth_bearer,jwt_payload_query('$.orgId')] if identity
  http-request set-header X-Plan-ID %[http_auth_bearer,jwt_payload_query('$.plan')] if identity
  http-request del-header Authorization if identity
  http-request track-sc0 var(txn.user) table limits if {{ path_beg /billing/ }}
  http-request deny deny_status 429 if {{ path_beg /billing/ }} {{ sc_http_req_rate(0,limits) gt 100000000 }}
  default_backend app
"""


class HaProxy:
    name = "HAProxy"
    leaves_out: ClassVar[Mapping[Lane, str]] = {
        Lane.PLAIN: "",
        Lane.IDENTITY: "HS256 instead of EdDSA, no signed identity, no revocation, no user status",
        Lane.BILLING: "the same; a sliding rate in its own memory, no quota, no Redis, records nothing",
    }

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place, port = own_folder(site, "haproxy"), free_port()
        text = _CONFIGURATION.format(
            folder=place.folder, upstream=site.upstream_port, port=port, secret=SECRET
        )
        (place.folder / "haproxy.cfg").write_text(text)
        log = place.folder / "haproxy.log"
        with program(["haproxy", "-db", "-f", str(place.folder / "haproxy.cfg")], log) as pid:
            wait_for(port, log)
            base = f"http://127.0.0.1:{port}"
            headers = {"Authorization": f"Bearer {shared_secret_token()}"}
            yield Running(
                pid,
                {
                    Lane.PLAIN: f"{base}/",
                    Lane.IDENTITY: f"{base}/identity/",
                    Lane.BILLING: f"{base}/billing/",
                },
                {Lane.IDENTITY: headers, Lane.BILLING: headers},
                USER_ID,
                lambda: _counted(place.folder / "haproxy.sock"),
            )


def _counted(path: Path) -> int:
    """By the stick table of the only user there is."""
    with socket.socket(socket.AF_UNIX) as books:
        books.settimeout(5.0)
        books.connect(str(path))
        books.sendall(b"show table limits\n")
        said = b"".join(iter(lambda: books.recv(4096), b"")).decode()
    rate = re.search(r"http_req_rate\(\d+\)=(\d+)", said)
    return int(rate[1]) if rate else 0
