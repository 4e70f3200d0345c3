"""A tiny image that the tests build themselves: it serves `$TEXT` at `/` on `$PORT`, and something slow at `/cgi-bin/slow`, as
slow as its query says in seconds.
"""

import shutil
from pathlib import Path

from tests.integration.worker_deploys.docker_cli import build_image

_DOCKERFILE = """\
FROM scratch
LABEL tests={name}
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY slow /www/cgi-bin/slow
CMD ["/bin/sh", "-c", "echo \\"${TEXT:-hello}\\" > /www/index.html; exec /bin/busybox httpd -f -p $PORT -h /www"]
"""
_SLOW = (
    "#!/bin/sh\n/bin/busybox sleep ${QUERY_STRING:-1}\nprintf 'Content-Type: text/plain\\r\\n\\r\\nslow\\n'\n"
)


def build_tiny(folder: Path, name: str) -> None:
    """In `folder`, which is new. Under each name it is an image of its own down to its first layer: what others build on theirs is none of
    ours, and what they take away is none either.
    """
    folder.mkdir()
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "slow").write_text(_SLOW)
    (folder / "slow").chmod(0o755)
    (folder / "Dockerfile").write_text(_DOCKERFILE.replace("{name}", name))
    build_image(folder, name)
