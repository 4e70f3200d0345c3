"""A shop of several services, all out of the tiny image: `web` shows what `db` has in its volume."""

from typing import Any

from tests.integration.worker_deploys.conftest import Worker

DB = [
    "/bin/sh",
    "-c",
    "/bin/busybox mkdir -p /data; [ -f /data/word ] || echo $WORD > /data/word; exec /bin/busybox httpd -f -p 5000 -h /data",
]
WEB = [
    "/bin/sh",
    "-c",
    "printf '#!/bin/sh\\nprintf \"Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n\"\\n/bin/busybox wget -q -O - http://db:5000/word\\n'"
    " > /www/cgi-bin/ask; /bin/busybox chmod +x /www/cgi-bin/ask; echo $TEXT > /www/index.html;"
    " exec /bin/busybox httpd -f -p 8080 -h /www",
]


def shop(image: str, word: str, **changes: Any) -> dict[str, Any]:
    """Changes are merged into `web`, but for `db` into that."""
    db = {
        "image": image,
        "command": DB,
        "environment": {"WORD": word},
        "expose": ["5000"],
        "volumes": ["data:/data"],
        "healthcheck": {
            "test": ["CMD", "/bin/busybox", "test", "-f", "/data/word"],
            "interval": "500ms",
            "timeout": "20s",
        },
        **changes.pop("db", {}),
    }
    web = {
        "image": image,
        "command": WEB,
        "environment": ["TEXT=shop"],
        "ports": [8080],
        "depends_on": {"db": {"condition": "service_healthy"}},
        "healthcheck": {"x-path": "/", "interval": "100ms", "x-deadline": "20s"},
        **changes,
    }
    return {"services": {"web": web, "db": db}}


async def deploy_compose(worker: Worker, project_id: str, compose: Any, web: str = "web") -> dict[str, Any]:
    ended: dict[str, Any] = await worker.commander.ok(
        "POST", f"/projects/{project_id}/deploy?wait=45", {"compose": compose, "web": web}
    )
    return ended
