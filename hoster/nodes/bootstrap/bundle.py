"""What is sent to a machine: the worker's own source, the lock file, and wheels where it has no package index."""

import io
import tarfile
from pathlib import Path

_PACKAGES = ("worker", "shared")
LOCK = "requirements.lock"


class BundleMissing(Exception):
    """This installation of Hoster has not got the worker's source beside it."""


def check_source(source: Path) -> None:
    """Blocking. Raises BundleMissing."""
    wanted = [source / LOCK, *(source / name / "__init__.py" for name in _PACKAGES)]
    missing = [str(path) for path in wanted if not path.is_file()]
    if missing:
        raise BundleMissing(f"not found: {', '.join(missing)}")


def pack(source: Path, wheels: Path | None) -> bytes:
    """A gzipped tar archive. Blocking. Raises BundleMissing."""
    check_source(source)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=6) as bundle:
        bundle.add(source / LOCK, LOCK, filter=_anonymous)
        for name in _PACKAGES:
            bundle.add(source / name, name, filter=_anonymous)
        for wheel in sorted(wheels.glob("*.whl")) if wheels else ():
            bundle.add(wheel, f"wheels/{wheel.name}", filter=_anonymous)
    return archive.getvalue()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without our user names, and without what was made for this machine."""
    if "__pycache__" in member.name or member.name.endswith(".so"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
