"""A project as a value, and the rules for its names. Pure.

Errors: ProjectUnknown, ProjectExists, ProjectIdInvalid, DomainInvalid, DomainTaken.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from worker.mesh.table import Visibility
from worker.runtime.engine import Limits

_PROJECT_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME = 253


class ProjectUnknown(Exception):
    """There is no such project on this node."""


class ProjectExists(Exception):
    """A project with this id is on this node already."""


class ProjectIdInvalid(Exception):
    """A project id is 1 to 63 of a-z, 0-9 and hyphens, and begins and ends with a letter or digit."""


class DomainInvalid(Exception):
    """Not a host name that a project can have."""


class DomainTaken(Exception):
    """Another project on this node holds this domain."""


class Wanted(StrEnum):
    """What was last asked for. `DELETED` is remembered until nothing is left."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class State(StrEnum):
    """What was last seen. `STARTING`: a release is being brought (back) up; shown as `deploying`."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    project_id: str
    org_id: str
    name: str
    visibility: Visibility
    limits: Limits
    domains: tuple[str, ...]
    created_at: float
    wanted: Wanted = Wanted.RUNNING
    restart_wanted: bool = False
    drop_volumes: bool = False
    state: State = State.CREATED
    state_reason: str = ""
    release_id: str | None = None


def shown_status(state: State, *, deploy_in_progress: bool) -> str:
    """The status in answers: one of created, deploying, running, stopped, failed, crashed."""
    return "deploying" if deploy_in_progress or state is State.STARTING else state.value


def checked_project_id(text: str) -> str:
    if _PROJECT_ID.fullmatch(text) is None:
        raise ProjectIdInvalid(ProjectIdInvalid.__doc__)
    return text


def checked_domain(text: str, reserved_suffixes: tuple[str, ...]) -> str:
    """Lower-case, without trailing dot. Raises DomainInvalid.

    Names below our own suffixes are refused: they belong to the project that they spell.
    """
    name = text.lower().removesuffix(".")
    parts = name.split(".")
    if (
        len(name) > _LONGEST_NAME
        or len(parts) < 2
        or any(_LABEL.fullmatch(part) is None for part in parts)
        or _is_address(name)
    ):
        raise DomainInvalid(
            f"{text!r} is not a host name such as www.example.org (use the xn-- form for others)"
        )
    if any(name == suffix or name.endswith(f".{suffix}") for suffix in reserved_suffixes):
        raise DomainInvalid(f"{name} is below a suffix of this platform and cannot be claimed")
    return name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rsplit(".", 1)[-1].isdigit()
    return True
