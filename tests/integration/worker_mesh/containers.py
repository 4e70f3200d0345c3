"""Containers of the tests, with the labels by which the worker knows its own."""

import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from worker.runtime import labels


@dataclass(slots=True)
class Containers:
    """Starts containers with our labels; `instance` is unique to the test."""

    image: str
    instance: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")

    def run(self, project: str, script: str, *options: str, service: str = "web") -> str:
        marks = {labels.INSTANCE: self.instance, labels.PROJECT: project, labels.SERVICE: service}
        flags = [flag for name, value in marks.items() for flag in ("--label", f"{name}={value}")]
        return docker("run", "-d", "--network", "none", *flags, *options, self.image, "sh", "-c", script)

    def remove(self, container_id: str) -> None:
        docker("rm", "-f", container_id)

    def restart(self, container_id: str) -> None:
        docker("restart", "-t", "0", container_id)

    def execute(self, container_id: str, script: str) -> None:
        docker("exec", container_id, "sh", "-c", script)

    def remove_all(self) -> None:
        ours = docker("ps", "-aq", "--filter", f"label={labels.INSTANCE}={self.instance}").split()
        if ours:
            docker("rm", "-f", "-v", *ours)


def docker(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(Path.home()), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
