"""A registry of the tests' own on loopback, which every engine takes in clear: what is pulled is what `docker save` gave."""

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.integration.worker_deploys.docker_cli import docker, docker_bytes

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """`go_on` is cleared to let downloads of layers hang. `refused` are names that nobody may have."""

    def __init__(self) -> None:
        self.port = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.asked_for_layers = asyncio.Event()
        self.refused: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._manifests: dict[str, bytes] = {}
        self._blobs: dict[str, bytes] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Registry"]:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v2/", self._version),
                web.get("/v2/{name}/manifests/{reference}", self._manifest),
                web.get("/v2/{name}/blobs/{digest}", self._blob),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._runner = runner
        yield self
        await self.close()
        # What a worker of the tests pulled and did not live to remove.
        for known in self._manifests:
            await asyncio.to_thread(docker, "rmi", "-f", f"127.0.0.1:{self.port}/{known}")

    async def close(self) -> None:
        """May be done twice."""
        self.go_on.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def reference(self, name: str, tag: str = "1") -> str:
        return f"127.0.0.1:{self.port}/{name}:{tag}"

    async def take(self, image: str, name: str, tag: str = "1") -> str:
        """Serves an image of the engine; the reference to pull it by."""
        saved = await asyncio.to_thread(docker_bytes, "save", image)
        with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
            [listed] = json.loads(_content(tar, "manifest.json"))
            config = _content(tar, listed["Config"])
            layers = [gzip.compress(_content(tar, path), 1, mtime=0) for path in listed["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._described(config, _CONFIG),
            "layers": [self._described(layer, _LAYER) for layer in layers],
        }
        self._manifests[f"{name}:{tag}"] = json.dumps(manifest).encode()
        return self.reference(name, tag)

    def _described(self, content: bytes, kind: str) -> dict[str, object]:
        digest = _digest(content)
        self._blobs[digest] = content
        return {"mediaType": kind, "size": len(content), "digest": digest}

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})

    async def _manifest(self, request: web.Request) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        if name in self.refused:
            denied = {"errors": [{"code": "DENIED", "message": "denied"}]}
            return web.json_response(denied, status=403)
        for known, manifest in self._manifests.items():
            if known == f"{name}:{reference}" or _digest(manifest) == reference:
                headers = {"Content-Type": _MANIFEST, "Docker-Content-Digest": _digest(manifest)}
                return web.Response(body=manifest, headers=headers)
        unknown = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        return web.json_response(unknown, status=404)

    async def _blob(self, request: web.Request) -> web.Response:
        content = self._blobs.get(request.match_info["digest"])
        if content is None:
            raise web.HTTPNotFound
        if not content.startswith(b"{"):
            self.asked_for_layers.set()
            await self.go_on.wait()
        return web.Response(body=content, content_type="application/octet-stream")


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
