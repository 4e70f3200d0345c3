"""Images that the tests build from busybox alone."""

import shutil
import uuid
from pathlib import Path

from tests.integration.worker_deploys.docker_cli import build_image

HEALTHCHECK = "#!/bin/sh\nexec /bin/busybox wget -qO /dev/null http://127.0.0.1:3306/starts\n"


def build(folder: Path, dockerfile: str) -> str:
    """The name of the image; `folder` is made. `busybox` and `healthcheck.sh` can be copied."""
    folder.mkdir()
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "healthcheck.sh").write_text(HEALTHCHECK)
    (folder / "healthcheck.sh").chmod(0o755)
    (folder / "Dockerfile").write_text(dockerfile)
    name = f"localhost/hoster-test:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    return name
