"""`python -m deploy.containers up|down`."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import aiodocker

from deploy.containers.base_image import NoBaseImage, choose
from deploy.containers.docker_cli import NoCompose, build_environment, compose_command, run_inherited
from deploy.containers.wheels import WheelsMissing, fetch
from deploy.credentials import load_or_generate
from deploy.engine import DEFAULT_ADDRESS, INSTALL_HINT, answers
from deploy.images.hello.build import ImageBuildFailed, ensure_hello_image

ROOT = Path(__file__).resolve().parents[2]
READY_DEADLINE_S = 120.0


def main(arguments: list[str]) -> int:
    data = Path(os.environ.get("PLATFORM_DATA_DIR") or ROOT / "data").resolve()
    project = os.environ.get("COMPOSE_PROJECT_NAME") or "platform"
    address = os.environ.get("DOCKER_HOST") or DEFAULT_ADDRESS
    if not answers(address):
        return refuse(f"no Docker Engine answers at {address}: {INSTALL_HINT}")
    try:
        compose = (
            *compose_command(),
            "--project-name",
            project,
            "--file",
            str(ROOT / "deploy" / "compose.yaml"),
        )
        environment = {**os.environ, **load_or_generate(data / "secrets.env")}
        match arguments:
            case ["up"]:
                return up(compose, environment, address, data)
            case ["down"]:
                return down(compose, environment)
            case _:
                return refuse("usage: python -m deploy.containers up|down")
    except (NoCompose, NoBaseImage, WheelsMissing, ImageBuildFailed) as reason:
        return refuse(str(reason))


def up(compose: tuple[str, ...], environment: dict[str, str], address: str, data: Path) -> int:
    images = choose(environment.get("BASE_IMAGE"), environment.get("REDIS_IMAGE"))
    say(f"base image {images.base} (Python {images.python}), Redis from {images.redis}")
    fetch(ROOT / "requirements.lock", ROOT / "deploy" / "build" / "wheels", images.python)
    asyncio.run(_hello(address, data))
    environment |= {"BASE_IMAGE": images.base, "REDIS_IMAGE": images.redis}
    code = run_inherited((*compose, "build", "--quiet"), build_environment(environment))
    code = code or run_inherited((*compose, "up", "--detach", "--no-build", "--remove-orphans"), environment)
    if code != 0:
        return refuse("compose failed (see above)")
    port = environment.get("GATEWAY_PORT") or "8082"
    if not _ready(f"http://127.0.0.1:{port}/health", compose, environment):
        return refuse(f"the containers run, but the platform is not ready; see: {' '.join(compose)} logs")
    say(f"ready: http://localhost:{port}   stop with: make down")
    return 0


def down(compose: tuple[str, ...], environment: dict[str, str]) -> int:
    """The worker's own containers go first, by the worker, which knows them; volumes stay."""
    code = run_inherited((*compose, "stop", "worker"), environment)
    code = code or run_inherited(
        (*compose, "run", "--rm", "--no-deps", "worker", "python", "-m", "worker", "evacuate"), environment
    )
    return run_inherited((*compose, "down", "--remove-orphans"), environment) or code


async def _hello(address: str, data: Path) -> None:
    async with aiodocker.Docker(url=address) as docker:
        await ensure_hello_image(docker, data / "cache" / "busybox")


def _ready(url: str, compose: tuple[str, ...], environment: dict[str, str]) -> bool:
    """The door answers and counts, and a node has joined: from here on a deployment can work."""
    deadline = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline:
        if _door_is_open(url) and _nodes_online(compose, environment) > 0:
            return True
        time.sleep(0.3)
    return False


def _door_is_open(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - our own loopback URL
            return bool(json.load(answer)["counters"] == "redis")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _nodes_online(compose: tuple[str, ...], environment: dict[str, str]) -> int:
    """As Hoster sees them; it is asked from inside its container, because it is not published."""
    question = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/health', timeout=3).read().decode())"
    asked = subprocess.run(
        [*compose, "exec", "-T", "hoster", "python", "-c", question],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return int(json.loads(asked.stdout)["nodes"]["online"]) if asked.returncode == 0 else 0


def say(sentence: str) -> None:
    sys.stdout.write(f"platform: {sentence}\n")
    sys.stdout.flush()


def refuse(sentence: str) -> int:
    sys.stderr.write(f"cannot continue: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
