"""Everything that a node lists as its projects."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from hoster.nodes.model import Worker
from hoster.nodes.worker_client import WorkerClient

_PAGE = 200


class ListUnreadable(Exception):
    """A node's answer is not a list of projects, so nothing can be said to be missing from it."""


@dataclass(frozen=True, slots=True)
class ListedProject:
    project_id: str
    org_id: str
    status: str
    domains: frozenset[str]


async def list_projects(client: WorkerClient, worker: Worker) -> list[ListedProject]:
    """All of them, or an error. Raises NodeUnreachable, WorkerRefused or ListUnreadable."""
    found: list[ListedProject] = []
    cursor = ""
    while True:
        answer = await client.command(worker, "GET", f"/projects?limit={_PAGE}&cursor={quote(cursor)}")
        found += _listed(answer.members)
        following = answer.members.get("next_cursor")
        if not following:
            return found
        if not isinstance(following, str) or following <= cursor:
            raise ListUnreadable("The node's list of projects has no end.")
        cursor = following


def domains_of(project: Mapping[str, object]) -> frozenset[str]:
    return _texts(project.get("domains"))


def _texts(found: object) -> frozenset[str]:
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()


def _listed(members: Mapping[str, object]) -> list[ListedProject]:
    items = members.get("items")
    if not isinstance(items, list):
        raise ListUnreadable("The node's answer has no list of projects.")
    return [_project(item) for item in items]


def _project(item: object) -> ListedProject:
    match item:
        case {
            "project_id": str(project_id),
            "org_id": str(org_id),
            "status": str(status),
            "domains": domains,
        }:
            return ListedProject(project_id, org_id, status, _texts(domains))
        case _:
            raise ListUnreadable("The node lists something that is not a project.")
