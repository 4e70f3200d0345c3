"""An app that keeps connections, answers slowly and takes bodies: the machine's own nginx in an image, which says its version.

`/` and `/post` answer `$TEXT` at once, `/slow` answers `$TEXT` and 20 KB over about a second.
"""

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing
from tests.integration.worker_deploys.docker_cli import build_image, docker

SLOW_BYTES = 20_000

_CONFIG = f"""\
user root root;
worker_processes 1;
daemon off;
error_log /dev/stderr;
pid /tmp/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000;
  client_body_temp_path /tmp/body;
  client_max_body_size 0;
  proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {{
    listen 8080;
    location = / {{ return 200 "TEXT"; }}
    location = /post {{ return 200 "TEXT"; }}
    location = /slow {{ root /www; limit_rate {SLOW_BYTES}; }}
  }}
}}
"""
_START = (
    "/bin/busybox mkdir -p /tmp /www; /bin/busybox sed s/TEXT/$TEXT/ /nginx.conf > /tmp/nginx.conf;"
    f" (printf %s $TEXT; /bin/busybox head -c {SLOW_BYTES} /dev/zero) > /www/slow; exec /nginx -c /tmp/nginx.conf"
)


@contextmanager
def nginx_image(folder: Path) -> Iterator[str]:
    """The name of the image, which is gone afterwards."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        missing("nginx", "install the package nginx-light")
    _fill(folder, Path(program))
    name = f"localhost/bench-nginx:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    try:
        yield name
    finally:
        docker("rmi", "-f", name)


def _fill(folder: Path, program: Path) -> None:
    linked = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, timeout=10)
    libraries = re.findall(r"(/\S+) \(0x", linked.stdout)
    root = folder / "root"
    for file in (*libraries, "/bin/busybox"):
        target = root / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    shutil.copy(program, root / "nginx")
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / "sh").symlink_to("busybox")
    for name in ("var/log/nginx", "var/lib/nginx", "etc", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    (root / "nginx.conf").write_text(_CONFIG)
    command = ", ".join(f'"{word}"' for word in ("/bin/sh", "-c", _START))
    (folder / "Dockerfile").write_text(f"FROM scratch\nCOPY root /\nCMD [{command}]\n")
