"""Which modules are compiled, and whether what was built is of the sources as they are now."""

import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GROUP = "platform"
"""Of the one library that holds the code of all modules: they call each other without going through the interpreter."""

LOCK = ROOT / "requirements-native.lock"
_STAMP = ROOT / ".venv" / "native.built-from"

_HOT = {
    "shared": "clock ids identity",
    "shared/relay": (
        "body_decoder books client_connection client_socket conversation deciding director engine faults fields forwarding framing"
        " head_encoding limits loss outbox own_answers pool received request_body request_reader status_lines syntax target ticker"
        " upstream_connection"
    ),
    "gateway": "director exchanges pipeline",
    "gateway/accounts": "authentication directory key_format ongoing_answers principal",
    "gateway/counters": "admission local_counters port redis_connection redis_counters redis_link refusals resp settlements",
    "gateway/metering": "books journal meter records",
    "gateway/observation": "latency traffic",
    "gateway/routes": "route table",
    "gateway/rules": (
        "canonical_target client_address entitlements field_fates period pricing reserved_paths route_pattern"
    ),
    "gateway/tokens": "claims verification",
    "gateway/steps": "field_edits step_* variables",
}
"""What runs for every request. A module that is not here costs its callers a little, one that is here costs set-up a second.

Facts of what is compiled:
- An alternative in a pattern, captured as a whole (`(bytes() | None) as rate`), is compiled wrongly.
- A generator expression that is handed on is run to its end first: when it raises, what came before is lost.
- A coroutine that waits while it handles an exception has lost it afterwards. When it is raised again, also by the end of an
  `async with`, the process ends. A test looks for that.
- An `int` is taken at its word, so `True` that is read as one is 1 from then on. What judges foreign input by its type
  (`gateway.tokens.signed_claims`) is left as it is.
"""


def hot_modules() -> list[str]:
    """Paths from the root of the repository."""
    return [
        str(path.relative_to(ROOT))
        for folder, names in _HOT.items()
        for name in names.split()
        for path in sorted((ROOT / folder).glob(f"{name}.py"))
    ]


def built_files() -> Iterator[Path]:
    """Also of modules that were compiled once, and are not any more."""
    yield from ROOT.glob(f"{GROUP}__mypyc.*.so")
    for package in {folder.partition("/")[0] for folder in _HOT}:
        yield from (ROOT / package).rglob("*.so")


def is_current() -> bool:
    """Whether what is built, if anything is, does what the sources say."""
    if next(built_files(), None) is None:
        return True
    return _STAMP.is_file() and _STAMP.read_text(encoding="utf-8") == _checksum()


def is_built() -> bool:
    return next(built_files(), None) is not None and is_current()


def mark_built() -> None:
    _STAMP.write_text(_checksum(), encoding="utf-8")


def remove() -> None:
    for file in list(built_files()):
        file.unlink()
    _STAMP.unlink(missing_ok=True)


def _checksum() -> str:
    digest = hashlib.sha256(str(sysconfig.get_config_var("EXT_SUFFIX")).encode())
    for file in (LOCK, Path(__file__), *(ROOT / module for module in hot_modules())):
        digest.update(file.read_bytes())
    return digest.hexdigest()
