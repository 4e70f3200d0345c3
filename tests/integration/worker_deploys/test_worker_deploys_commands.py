"""Who may command the worker, and how it answers what is wrong."""

import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.worker_deploys.commanding import Commander
from tests.integration.worker_deploys.conftest import Worker, running_worker, worker_variables

pytestmark = pytest.mark.engine

BODY = b'{"project_id":"p","org_id":"org_a"}'


async def test_only_a_command_signed_for_this_very_request_is_taken(worker: Worker) -> None:
    hoster = worker.commander
    stranger = Commander(worker.session, hoster.base, "another-secret-another-secret-xx")
    now = time.time()  # noqa: TID251 - the worker's clock is the machine's
    good = hoster.signed("POST", "/projects", BODY)
    refused = {
        "missing": {},
        "malformed": {"X-Signature": "t=1,n=2,v1=3"},
        "another secret": stranger.signed("POST", "/projects", BODY),
        "another method": hoster.signed("PUT", "/projects", BODY),
        "another path": hoster.signed("POST", "/projects/p", BODY),
        "another query": hoster.signed("POST", "/projects?x=1", BODY),
        "another body": hoster.signed("POST", "/projects", BODY + b" "),
        "too old": hoster.signed("POST", "/projects", BODY, now - 63),
        "too new": hoster.signed("POST", "/projects", BODY, now + 120),
    }

    for case, headers in refused.items():
        status, answer = await hoster.send("POST", "/projects", BODY, headers)
        assert (status, answer["code"]) == (401, "invalid_signature"), case
    assert (await hoster.send("POST", "/projects", BODY, good))[0] == 201
    assert (await hoster.send("POST", "/projects", BODY, good))[0] == 401, "a replay"


async def test_a_replay_is_refused_after_a_restart_too(
    docker_engine: str, tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> None:
    variables = worker_variables(docker_engine, tmp_path, free_port)
    async with running_worker(variables, session) as first:
        signed = first.commander.signed("GET", "/projects", b"")
        assert (await first.commander.send("GET", "/projects", b"", signed))[0] == 200
    async with running_worker(variables, session) as second:
        assert (await second.commander.send("GET", "/projects", b"", signed))[0] == 401


async def test_everything_but_the_listed_routes_is_protected(worker: Worker) -> None:
    for path in ("/health", "/stats", "/system/logs"):
        assert (await worker.commander.send("GET", path, b"", {}))[0] == 200, path
    for method, path in (
        ("GET", "/projects"),
        ("GET", "/projects/p"),
        ("GET", "/projects/p/logs/stream"),
        ("GET", "/no/such/path"),
        ("GET", "/health/../projects"),
        ("POST", "/health"),
        ("POST", "/sync"),
    ):
        status, answer = await worker.commander.send(method, path, b"", {})
        assert (status, answer["code"]) == (401, "invalid_signature"), path
    assert (await worker.commander.call("GET", "/no/such/path"))[0] == 404


async def test_a_body_above_one_mebibyte_is_refused_unread(worker: Worker) -> None:
    octets = b" " * (1024 * 1024 + 1)
    signed = worker.commander.signed("POST", "/projects", octets)

    status, answer = await worker.commander.send("POST", "/projects", octets, signed)

    assert (status, answer["code"]) == (413, "body_too_large")


async def test_bad_input_is_named_and_nothing_is_made(worker: Worker) -> None:
    commander = worker.commander
    await commander.ok("POST", "/projects", {"project_id": "p", "org_id": "org_a", "domains": ["a.example"]})
    await commander.ok("POST", "/projects", {"project_id": "q", "org_id": "org_a"})
    image = {"image": "localhost/x:1", "port": 80}
    wrong = [
        ("POST", "/projects", {"project_id": "p", "org_id": "org_a"}, 409, "project_exists"),
        ("POST", "/projects", {"project_id": "../x", "org_id": "org_a"}, 422, "invalid_project_id"),
        (
            "POST",
            "/projects",
            {"project_id": "r", "org_id": "o", "domains": ["a.example"]},
            409,
            "domain_taken",
        ),
        ("POST", "/projects", {"project_id": "r"}, 422, "invalid_body"),
        ("POST", "/projects", {"project_id": "r", "org_id": "o", "nmae": "x"}, 422, "invalid_body"),
        ("GET", "/projects/..%2fq", None, 422, "invalid_project_id"),
        ("GET", "/projects/none", None, 404, "unknown_project"),
        ("GET", "/projects/none/logs", None, 404, "unknown_project"),
        ("POST", "/projects/q/domains", {"domain": "A.example."}, 409, "domain_taken"),
        ("POST", "/projects/q/domains", {"domain": "p.zexio.app"}, 422, "invalid_domain"),
        ("POST", "/projects/q/domains", {"domain": "10.0.0.1"}, 422, "invalid_domain"),
        ("POST", "/projects/q/env", {"env": {"A=B": "x"}}, 422, "invalid_environment"),
        ("POST", "/projects/q/env", {"env": {"A": "x\0y"}}, 422, "invalid_environment"),
        ("POST", "/projects/q/env", {"env": {"A": "x" * 131_072}}, 422, "invalid_environment"),
        ("POST", "/projects/q/deploy", {"image": "-rf", "port": 80}, 422, "invalid_body"),
        ("POST", "/projects/q/deploy", {"image": "sha256:" + "0" * 64, "port": 80}, 422, "invalid_body"),
        ("POST", "/projects/q/deploy", {**image, "port": 0}, 422, "invalid_body"),
        ("POST", "/projects/q/deploy", {**image, "healthcheck": {"path": "//x y"}}, 422, "invalid_body"),
        ("POST", "/projects/q/deploy", {"git": {"url": "https://x/y"}}, 422, "invalid_body"),
        ("POST", "/projects/q/deploy", {"compose": {"services": {}}}, 422, "unsupported_compose"),
        ("POST", "/projects/q/deploy", {"release": "dpl_none"}, 404, "unknown_release"),
        ("POST", "/projects/q/deploy", {**image, "release": "dpl_none"}, 422, "invalid_body"),
        ("GET", "/projects/q/deploys/dpl_none", None, 404, "unknown_deploy"),
        ("POST", "/projects/q/start", None, 409, "no_release"),
        ("GET", "/projects/q/events?limit=x", None, 422, "invalid_query"),
        ("DELETE", "/projects/q?volumes=maybe", None, 422, "invalid_query"),
    ]

    for method, path, body, status, code in wrong:
        answer = await commander.call(method, path, body)
        assert (answer[0], answer[1]["code"]) == (status, code), (path, body, answer)
    listed = await commander.ok("GET", "/projects?limit=1")
    assert ([item["project_id"] for item in listed["items"]], listed["next_cursor"]) == (["p"], "p")
    rest = await commander.ok("GET", "/projects?cursor=p")
    assert ([item["project_id"] for item in rest["items"]], rest["next_cursor"]) == (["q"], None)


async def test_values_of_the_environment_are_neither_shown_nor_stored_in_clear(
    worker: Worker, tmp_path: Path
) -> None:
    commander = worker.commander
    await commander.ok("POST", "/projects", {"project_id": "p", "org_id": "org_a"})
    await commander.ok("POST", "/projects/p/env", {"env": {"A": "first-plain-text", "B": "2"}})
    answer = await commander.ok("POST", "/projects/p/env", {"env": {"B": None, "C": "3"}})

    assert answer == {"keys": ["A", "C"], "applied": False}
    assert "first-plain-text" not in str(await commander.ok("GET", "/projects/p"))
    assert not _files_holding(tmp_path, b"first-plain-text")
    assert _mode(tmp_path / "environment.key") == 0o600


async def test_without_the_engine_project_work_says_so_and_the_rest_goes_on(
    tmp_path: Path, free_port: Callable[[], int], session: aiohttp.ClientSession
) -> None:
    variables = worker_variables(f"unix://{tmp_path}/none.sock", tmp_path, free_port)

    async with running_worker(variables, session) as worker:
        created = await worker.commander.call("POST", "/projects", {"project_id": "p", "org_id": "org_a"})
        synced = await worker.commander.call("POST", "/sync")

        assert (created[0], created[1]["code"]) == (503, "engine_unavailable")
        assert (synced[0], synced[1]["code"]) == (503, "engine_unavailable")
        assert await worker.commander.send("GET", "/health", b"", {}) == (200, "OK")
        assert (await worker.commander.ok("GET", "/projects"))["items"] == []


def _files_holding(folder: Path, octets: bytes) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and octets in file.read_bytes()]


def _mode(file: Path) -> int:
    return file.stat().st_mode & 0o777
