"""An account that has one of everything, for the tests that only look: each page shows something, and each dialog can be opened."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import StorageState

from tests.e2e.console.person import Person

TABS = ("", "/logs", "/metrics", "/releases", "/variables", "/domains", "/events", "/settings")


@dataclass(frozen=True)
class Place:
    """`deployment` is the path of its page: it runs, and has run before with another release."""

    deployment: str
    template: str

    def pages(self) -> Iterator[str]:
        """Those of its deployment and of its template."""
        yield from (f"{self.deployment}{tab}" for tab in TABS)
        yield f"/my-templates/{self.template}"


@dataclass(frozen=True)
class Furnished:
    """An administrator on the plan `starter`; `session` signs a new browser in as them."""

    session: StorageState
    place: Place


def furnish(person: Person) -> Place:
    """Made beside the browser, by the person who is signed in there."""
    deployment = _running(person)
    at = f"/api/v1/deployments/{deployment}"
    key = person.made("/api/v1/ssh_keys", {"name": "deploy key"})
    # Nobody listens there, so the installation fails at once.
    ssh = {"host": "127.0.0.1", "port": 1, "user": "root", "ssh_key_id": key["id"]}
    template = {
        "name": "My own",
        "compose": "services: {web: {image: 'localhost/hello:1', expose: ['8080']}}",
        "resources": {"cpu_cores": 0.25, "memory_mb": 64, "disk_mb": 64},
    }
    person.made(f"{at}/domains", {"hostname": f"{uuid.uuid4().hex}.example.com"})
    person.made("/mod/keys", {"name": "ci"})
    node = person.made("/api/v1/nodes", {"name": "attic", "ssh": ssh})
    written = person.made("/api/v1/templates", template)
    person.made(f"{at}/redeploy", {})
    person.until_answered(
        f"{at}/releases", lambda answer: [one["current"] for one in answer.json()["items"]] == [True, False]
    )
    person.until_answered(at, lambda answer: bool(answer.json()["status"] == "running"))
    person.until_answered(
        f"/api/v1/nodes/{node['id']}", lambda answer: bool(answer.json()["bootstrap"]["status"] == "failed")
    )
    return Place(f"/deployments/{deployment}", str(written["id"]))


def _running(person: Person) -> str:
    hello = person.call("GET", "/api/v1/templates?q=hello").json()["items"][0]["id"]
    made = person.made("/api/v1/deployments", {"name": "hello", "template_id": hello})
    person.until_answered(
        f"/api/v1/deployments/{made['id']}", lambda answer: bool(answer.json()["status"] == "running")
    )
    return str(made["id"])
