"""Builds `localhost/hello:1` on the engine, from a static busybox found on this machine or, failing that, the public image."""

import asyncio
import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

import aiodocker

IMAGE = "localhost/hello:1"
CONTENT_LABEL = "io.plane.content"
BUILD_DEADLINE_S = 300.0

_HERE = Path(__file__).parent
_PT_INTERP = 3
_PUBLIC_BUSYBOX = "busybox:stable"


class ImageBuildFailed(Exception):
    """The engine could not build the image; the message is the engine's."""


def is_static_elf(program: Path) -> bool:
    """Whether the file is an ELF program without an interpreter, and so runs in an empty image (ELF-64, little endian)."""
    with program.open("rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            return False
        offset, entry_size, entries = (
            struct.unpack_from("<Q", header, 32)[0],
            struct.unpack_from("<H", header, 54)[0],
            struct.unpack_from("<H", header, 56)[0],
        )
        file.seek(offset)
        table = file.read(entry_size * entries)
    kinds = (struct.unpack_from("<I", table, index * entry_size)[0] for index in range(entries))
    return _PT_INTERP not in kinds


def find_static_busybox(cache: Path) -> Path | None:
    """From PATH, from an earlier download in `cache`, or unpacked there from the Debian package (which needs no root)."""
    for candidate in (shutil.which("busybox"), cache / "bin" / "busybox"):
        if candidate is not None and Path(candidate).is_file() and is_static_elf(Path(candidate)):
            return Path(candidate)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", "busybox-static"], cwd=cache, capture_output=True, timeout=120, check=False
    )
    packages = sorted(cache.glob("busybox-static_*.deb"))
    if fetched.returncode != 0 or not packages:
        return None
    subprocess.run(["dpkg-deb", "-x", str(packages[-1]), str(cache)], check=True, timeout=60)
    unpacked = cache / "bin" / "busybox"
    return unpacked if unpacked.is_file() else None


def build_context(busybox: Path | None) -> bytes:
    """A tar with the Dockerfile and the image's root; without `busybox` the image starts from the public one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, "Dockerfile", (_HERE / "Dockerfile").read_bytes(), 0o644)
        _add(tar, "rootfs/hello.sh", (_HERE / "hello.sh").read_bytes(), 0o644)
        scratch = tarfile.TarInfo("rootfs/tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(scratch)
        if busybox is not None:
            _add(tar, "rootfs/bin/busybox", busybox.read_bytes(), 0o755)
    return buffer.getvalue()


async def ensure_hello_image(docker: aiodocker.Docker, cache: Path) -> None:
    """Builds the image unless the engine has one of the same content. Raises ImageBuildFailed or aiodocker's errors."""
    busybox = await asyncio.to_thread(find_static_busybox, cache)
    context = await asyncio.to_thread(build_context, busybox)
    content = hashlib.sha256(context).hexdigest()
    if await _has_image(docker, content):
        return
    async with asyncio.timeout(BUILD_DEADLINE_S):
        steps = await docker.images.build(
            fileobj=io.BytesIO(context),
            encoding="identity",
            tag=IMAGE,
            labels={CONTENT_LABEL: content},
            buildargs={} if busybox is not None else {"BUSYBOX_IMAGE": _PUBLIC_BUSYBOX},
            rm=True,
            forcerm=True,
        )
    faults = [str(step["error"]) for step in steps if "error" in step]
    if faults:
        raise ImageBuildFailed(faults[0])


async def _has_image(docker: aiodocker.Docker, content: str) -> bool:
    try:
        image = await docker.images.inspect(IMAGE)
    except aiodocker.DockerError as error:
        if error.status == 404:
            return False
        raise
    return (image["Config"].get("Labels") or {}).get(CONTENT_LABEL) == content


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
