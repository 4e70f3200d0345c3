"""`python -m tests.bench.api_fuzz [EXAMPLES]`: requests made from the OpenAPI document, sent to a real Hoster; each answer must be one that the
document says.

Hoster runs as a process of its own, with a worker that keeps the contract and with things of the caller's to find. For every
operation EXAMPLES requests are made (100), half of them about these things, by schemathesis and hypothesis.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import requests
import schemathesis
import schemathesis.specs.openapi.adapter  # here: in two threads at once, early releases of Python 3.11 cannot parse (gh-106905)
from hypothesis import HealthCheck, Phase, given, settings
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.free_ports import free_port
from tests.integration.hoster.conftest import IDENTITY_SECRET, JOIN_TOKEN, User, join_worker, keep_beating
from tests.servers.dns_zone import DnsZone

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = 100
ANSWER_WITHIN_S = 30
ABOUT_OURS = 0.5
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
TEMPLATE = {
    "name": "Mine", "compose": "services:\n  web:\n    image: nginx:1.27\n    expose: ['80']\n    x-web: true\n",
    "resources": {"cpu_cores": 0.1, "memory_mb": 64, "disk_mb": 64},
}  # fmt: skip


_SENSIBLE: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/deployments"): {
        "template_id": None, "source": {"image": "nginx", "port": 80}, "variables": {}, "node_id": None, "region": None,
    },
    ("POST", "/api/v1/templates"): TEMPLATE,
    ("POST", "/api/v1/nodes"): {"ssh": None, "public": False},
}  # fmt: skip
"""Members that make a body one that can be meant; what the document cannot say, chance does not find."""


class Signed(AuthBase):
    """Signs what is sent, as it is sent."""

    def __init__(self, user: User) -> None:
        self._user = user

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers.update(
            self._user.headers(str(prepared.method), prepared.path_url, str(uuid.uuid4()))
        )
        return prepared


@dataclass
class Found:
    """`statuses` by operation; `wrong` are sentences."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(sum(counted.values()) for counted in self.statuses.values())


def fuzz(user: User, ours: dict[str, dict[str, str]], examples: int) -> Found:
    """`ours` are values for path parameters, by the beginning of the path. Blocking."""
    document = requests.get(f"{user.base_url}/api/v1/openapi.json", timeout=ANSWER_WITHIN_S).json()
    schema = schemathesis.openapi.from_dict(document)
    found, auth, chance = Found(), Signed(user), random.Random(1)  # noqa: S311 - which requests are made, not a secret
    for result in schema.get_all_operations():
        operation = result.ok()
        label = f"{operation.method.upper()} {operation.path}"
        counted = found.statuses.setdefault(label, Counter())
        try:
            _ask_often(operation, examples, partial(_ask_once, user.base_url, auth, ours, chance, counted))
        except FailureGroup as failures:
            found.wrong[label] = "\n".join(str(failure) for failure in failures.exceptions)
        except Exception as error:  # noqa: BLE001 - a request that could not be made or answered is a finding like any other
            found.wrong[label] = f"{type(error).__name__}: {error}"
    return found


def _ask_often(operation: Any, examples: int, ask: Callable[[Any], None]) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asking(case: Any) -> None:
        ask(case)

    asking()


def _ask_once(
    base_url: str,
    auth: Signed,
    ours: dict[str, dict[str, str]],
    chance: random.Random,
    counted: Counter[int],
    case: Any,
) -> None:
    _aim(case, ours, chance)
    response = case.call(base_url=base_url, auth=auth, timeout=ANSWER_WITHIN_S)
    counted[response.status_code] += 1
    case.validate_response(response, checks=CHECKS)


def _aim(case: Any, ours: dict[str, dict[str, str]], chance: random.Random) -> None:
    """At things that exist, now and then; never at removing them, and never at waiting for long."""
    removes = case.method.upper() == "DELETE" and case.path.endswith("}")
    if case.path_parameters and not removes and chance.random() < ABOUT_OURS:
        known = next((ids for start, ids in ours.items() if case.path.startswith(start)), {})
        case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
    if isinstance(case.body, dict) and chance.random() < ABOUT_OURS:
        case.body.update(_SENSIBLE.get((case.method.upper(), case.path), {}))
    if case.path.endswith("/wait"):
        case.query = {**(case.query or {}), "timeout": 0}


async def measure(examples: int) -> Found:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, DnsZone() as zone:
        environment = {
            "PATH": os.environ["PATH"], "IDENTITY_SECRET": IDENTITY_SECRET, "HOSTER_DATA_DIR": folder, "HOSTER_PORT": str(port),
            "HOSTER_JOIN_TOKEN": JOIN_TOKEN, "DNS_RESOLVER": zone.address, "LOG_LEVEL": "error",
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hoster", env=environment, cwd=ROOT
        )
        try:
            return await _measure(f"http://127.0.0.1:{port}", examples)
        finally:
            process.terminate()
            await process.wait()


async def _measure(base_url: str, examples: int) -> Found:
    async with aiohttp.ClientSession() as session:
        await _until_up(base_url, session)
        worker = await join_worker(base_url, session)
        worker.streams_last_s = 0
        # Of a node that sends none an answer is not waited for as long.
        beating = asyncio.create_task(keep_beating(base_url, session, worker))
        try:
            user = User(base_url, session)
            ours = await _things(user)
            return await asyncio.to_thread(fuzz, user, ours, examples)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await worker.stop()


async def _until_up(base_url: str, session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with session.get(f"{base_url}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def _things(user: User) -> dict[str, dict[str, str]]:
    """A running deployment with a domain, a template, a node and a key."""

    async def made(collection: str, body: dict[str, Any]) -> str:
        answer = await user.ask("POST", f"/api/v1/{collection}", body)
        assert answer.status in {201, 202}, answer.body
        return str(answer.body["id"])

    deployment = await made("deployments", {"name": "x", "source": {"image": "nginx", "port": 80}})
    template = await made("templates", TEMPLATE)
    ours = {
        "/api/v1/deployments/": {"id": deployment, "hostname": "a.example.com"},
        "/api/v1/templates/": {"id": template},
        "/api/v1/nodes/": {"id": await made("nodes", {"name": "x"})},
        "/api/v1/ssh_keys/": {"id": await made("ssh_keys", {"name": "x"})},
    }
    claimed = await user.ask(
        "POST", f"/api/v1/deployments/{deployment}/domains", {"hostname": "a.example.com"}
    )
    assert claimed.status == 201, claimed.body
    return ours


def main(arguments: list[str]) -> int:
    found = asyncio.run(measure(int(arguments[0]) if arguments else EXAMPLES))
    for label, counted in found.statuses.items():
        print(f"{label:70} {json.dumps(dict(sorted(counted.items())))}")  # noqa: T201
    for label, sentence in found.wrong.items():
        print(f"\nWRONG {label}\n{sentence}")  # noqa: T201
    print(f"\n{found.requests} requests, {len(found.statuses)} operations, {len(found.wrong)} wrong")  # noqa: T201
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
