"""Deploying from an archive on the web."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.integration.worker_deploys.conftest import Worker
from tests.integration.worker_deploys.deploying import HEALTHY, create

pytestmark = pytest.mark.engine


class Shelf:
    """A server with archives on it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.base = ""

    async def get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "moved":
            raise web.HTTPFound("/app.tar.gz")
        if name == "inside":
            raise web.HTTPFound("ftp://127.0.0.1/app.tar.gz")
        if name not in self.files:
            raise web.HTTPNotFound
        return web.Response(body=self.files[name])


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    made = Shelf()
    app = web.Application()
    app.router.add_get("/{name}", made.get)
    async with TestServer(app) as server:
        made.base = f"http://localhost:{server.port}"
        yield made


def tar_gz(files: dict[str, str]) -> bytes:
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return octets.getvalue()


def zipped(files: dict[str, str]) -> bytes:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return octets.getvalue()


async def deploy_archive(worker: Worker, url: str, sha256: str) -> dict[str, Any]:
    body = {"archive_url": url, "sha256": sha256, "port": 8080, "healthcheck": HEALTHY}
    ended: dict[str, Any] = await worker.commander.ok("POST", "/projects/app/deploy?wait=45", body)
    return ended


async def test_tar_and_zip_are_built_and_checked_against_their_sum(
    building_worker: Worker, tiny_image: str, shelf: Shelf
) -> None:
    worker = building_worker
    await create(worker, "app")
    dockerfile = f"FROM {tiny_image}\nCOPY page /www/page\n"
    # As a forge packs it: everything below one folder.
    shelf.files["app.tar.gz"] = tar_gz({"app-1/Dockerfile": dockerfile, "app-1/page": "from tar\n"})
    shelf.files["app.zip"] = zipped({"Dockerfile": dockerfile, "page": "from zip\n"})
    sums = {name: hashlib.sha256(octets).hexdigest() for name, octets in shelf.files.items()}

    for path, name, page in (
        ("app.tar.gz", "app.tar.gz", "from tar\n"),
        ("app.zip", "app.zip", "from zip\n"),
        ("moved", "app.tar.gz", "from tar\n"),
    ):
        ended = await deploy_archive(worker, f"{shelf.base}/{path}?token=secret", sums[name])
        assert ended["status"] == "active", ended
        assert await worker.get("app.zexio.app", "/page") == (200, page)
        assert "secret" not in str(ended)
    wrong = await deploy_archive(worker, f"{shelf.base}/app.zip", "0" * 64)
    assert (wrong["status"], sums["app.zip"] in wrong["reason"]) == ("failed", True)
    missing = await deploy_archive(worker, f"{shelf.base}/none", "0" * 64)
    assert "HTTP 404" in missing["reason"]
    inside = await deploy_archive(worker, f"{shelf.base}/inside", "0" * 64)
    assert "redirected to an address that must begin with https" in inside["reason"]
    assert await worker.get("app.zexio.app", "/page") == (200, "from tar\n")


async def test_an_archive_of_our_own_network_is_refused(
    worker: Worker, tiny_image: str, shelf: Shelf
) -> None:
    await create(worker, "app")

    plain = await deploy_archive(worker, f"{shelf.base}/app.tar.gz", "0" * 64)
    private = await deploy_archive(worker, shelf.base.replace("http", "https") + "/x", "0" * 64)
    literal = await deploy_archive(worker, "https://169.254.169.254/x", "0" * 64)

    assert "Only https" in plain["reason"]
    assert "not on the public Internet" in private["reason"]
    assert "not on the public Internet" in literal["reason"]
