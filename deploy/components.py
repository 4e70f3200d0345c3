"""`python -m deploy.components NAME... -- COMMAND...`: runs a command with real components at hand.

Missing packages are installed where we may; a Docker Engine that is not running is started for the length of the command. What
cannot be had is named on standard error, and the command runs all the same: the tests say what they miss.
"""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from deploy.engine import engine
from deploy.packages import MayNotInstall, install

PROGRAMS = {
    "redis": ("redis-server", "redis-server"),
    "busybox": ("busybox", "busybox-static"),
    "debootstrap": ("debootstrap", "debootstrap"),
    "compose": ("docker-compose", "docker-compose"),
    "curl": ("curl", "curl"),
    "slowhttptest": ("slowhttptest", "slowhttptest"),
    "git": ("git", "git"),
    "sshd": ("/usr/sbin/sshd", "openssh-server"),
    "nft": ("/usr/sbin/nft", "nftables"),
    "ip": ("/usr/sbin/ip", "iproute2"),
    "systemd": ("systemd-analyze", "systemd"),
    "chromium": ("chromium", "chromium"),
    "nginx": ("/usr/sbin/nginx", "nginx"),
    "nginx-lua": ("/usr/lib/nginx/modules/ngx_http_lua_module.so", "libnginx-mod-http-lua"),
    "nginx-redis": ("/usr/share/lua/5.1/nginx/redis.lua", "lua-nginx-redis"),
    "lua-cjson": ("/usr/share/doc/lua-cjson", "lua-cjson"),
    "haproxy": ("/usr/sbin/haproxy", "haproxy"),
    "wrk": ("wrk", "wrk"),
}
"""Component to the program that shows that it is there, and the Debian package that brings it."""

ENGINE_LOG = Path("data/dockerd.log")


def main(arguments: list[str]) -> int:
    split = arguments.index("--")
    names, command = arguments[:split], arguments[split + 1 :]
    absent = [PROGRAMS[name][1] for name in names if name in PROGRAMS and not _is_there(PROGRAMS[name][0])]
    if absent:
        say(f"installing {', '.join(absent)}")
        try:
            install(absent)
        except MayNotInstall as reason:
            say(f"missing {', '.join(absent)}: {reason}")
    with ExitStack() as stack:
        if "docker" in names:
            found = stack.enter_context(engine(None, ENGINE_LOG, say))
            say(found.detail)
        return subprocess.run(command, check=False).returncode


def _is_there(place: str) -> bool:
    """A program on the path, or a file."""
    return Path(place).exists() if place.startswith("/") else shutil.which(place) is not None


def say(sentence: str) -> None:
    sys.stderr.write(f"components: {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
