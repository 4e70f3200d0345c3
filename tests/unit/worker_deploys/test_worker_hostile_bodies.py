"""Whatever a member of a deploy holds, the answer is a fault that names it or a request, never a failure of ours."""

import json

import pytest

from worker.deploys.bodies import DeployBody
from worker.deploys.compose import ComposeUnsupported
from worker.requests import RequestInvalid, parse_body
from worker.runtime.engine import Limits

HOSTILE: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        2**70,
        10**4000,
        1.5,
        float("nan"),
        float("inf"),
        "",
        "x",
        "nan",
        "inf",
        "1e999",
    ),
    *(
        "9" * 400,
        "9" * 400 + "g",
        "9" * 400 + "s",
        "-1",
        "\0",
        "é",
        "'",
        "${A}",
        "a" * 70_000,
        "a=b",
        "a:/b:ro",
    ),
    *([], [None], [[]], ["\0"], ["a=b"], ["="], ["a:/b"], [10**4000], {}, {"a": None}, {"a": {"a": {}}}),
]
YAML = [
    "[" * 100_000,
    "{a: " * 50_000,
    "&a [*a]",
    "\0",
    "---\n---\n",
    "!!python/object:os.system x",
    "? [a]: b",
    "a: 2020-01-01",
    f"services: {{web: {{image: a, expose: [{'9' * 5000}]}}}}",
    f"services: {{web: {{image: a, expose: [0x{'f' * 5000}]}}}}",
]
RAW = [
    b"\xff",
    b"[",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"image":"\\ud800","port":1}',
    b"null",
    b"1" * 5000,
]


def outcome_of(raw: bytes) -> str:
    try:
        parse_body(DeployBody, raw).request(Limits(), allow_local=True)
    except (RequestInvalid, ComposeUnsupported) as refused:
        return "refused" if refused.faults else "refused without a word"
    return "taken"


def put(tree: dict[str, object], path: list[str], value: object) -> dict[str, object]:
    """`tree` with `value` at `path`."""
    name, *rest = path
    if not rest:
        return {**tree, name: value}
    below = tree.get(name)
    return {**tree, name: put(below if isinstance(below, dict) else {}, rest, value)}


SERVICE = ["compose", "services", "web"]
BY_IMAGE = {"image": "a:1", "port": 1}
COMPOSED = {"compose": {"services": {"web": {"image": "a:1", "expose": [1], "healthcheck": {"test": "x"}}}}}
FROM_GIT = {"git": {"url": "https://example.org/x"}, "port": 1}


def service_paths() -> list[list[str]]:
    keys = "image command entrypoint environment expose ports volumes depends_on healthcheck restart deploy x-web"
    checks = "test interval timeout retries start_period disable x-path x-deadline"
    return [
        ["compose"],
        ["compose", "services"],
        ["compose", "volumes"],
        SERVICE,
        *([*SERVICE, key] for key in keys.split()),
        *([*SERVICE, "healthcheck", key] for key in checks.split()),
        *([*SERVICE, "deploy", "resources", "limits", key] for key in ("cpus", "memory", "pids")),
        [*SERVICE, "environment", "A"],
    ]


@pytest.mark.parametrize("path", service_paths(), ids=".".join)
def test_no_value_in_a_compose_file_is_our_failure(path: list[str]) -> None:
    outcomes = {outcome_of(json.dumps(put(COMPOSED, path, value)).encode()) for value in HOSTILE}

    assert "refused" in outcomes


@pytest.mark.parametrize(
    "path", [[name] for name in DeployBody.model_fields] + [["git", "ref"], ["git", "key"]]
)
def test_no_value_in_a_member_of_a_deploy_is_our_failure(path: list[str]) -> None:
    outcomes = {
        outcome_of(json.dumps(put(start, path, value)).encode())
        for start in (BY_IMAGE, FROM_GIT)
        for value in HOSTILE
    }

    assert "refused" in outcomes


@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_no_yaml_is_our_failure(text: str) -> None:
    assert outcome_of(json.dumps({"compose": text}).encode()) == "refused"


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_no_body_is_our_failure(raw: bytes) -> None:
    assert outcome_of(raw) == "refused"


def test_a_fault_is_told_in_our_words_alone() -> None:
    with pytest.raises(RequestInvalid) as refused:
        parse_body(DeployBody, json.dumps({**BY_IMAGE, "release": "x"}).encode())

    [fault] = refused.value.faults
    assert fault.message == "must have exactly one of image, compose, git, archive_url, release"
