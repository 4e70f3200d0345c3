"""The process in the container sees exactly the variables that were set, whatever is in them."""

import asyncio
import shutil
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.worker_deploys.conftest import Worker, session, worker
from tests.integration.worker_deploys.deploying import create, deploy
from tests.integration.worker_deploys.docker_cli import build_image, container_ids, docker

__all__ = ["session", "worker"]

pytestmark = pytest.mark.engine

# No shell between the engine and the program: a shell has an environment of its own making.
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/index.html
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
OURS = {"PORT", "PATH", "HOSTNAME", "HOME"}
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}", fullmatch=True).filter(lambda name: name not in OURS)
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
AWKWARD = st.text(st.sampled_from("$\\\"'`{}()#;&|<>*?~! \t\r\n=%\x01\x1b\x7f\x80\xff\u2028\ufeff\U0010ffff"))
VALUES = st.text(CHARACTERS, max_size=300) | AWKWARD
LARGE = "".join(chr(code) for code in range(1, 256)) * 280


@pytest.fixture(scope="session")
def bare_image(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    folder = tmp_path_factory.mktemp("image")
    shutil.copy("/bin/busybox", folder / "busybox")
    (folder / "index.html").write_text("here\n")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"localhost/worker-env-test:{uuid.uuid4().hex[:12]}"
    build_image(folder, name)
    yield name
    docker("rmi", "-f", name)


def environment_of(container_id: str) -> dict[bytes, bytes]:
    """As the kernel gave it to the program, which is the only child of the container's init."""
    [pid] = docker("exec", container_id, "/bin/busybox", "cat", "/proc/1/task/1/children").split()
    held = docker("exec", container_id, "/bin/busybox", "xxd", "-p", f"/proc/{pid}/environ")
    entries = bytes.fromhex(held.replace("\n", "")).split(b"\0")
    return {name: value for name, _, value in (entry.partition(b"=") for entry in entries if entry)}


def octets(variables: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in variables.items()}


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=60))
@example({"LARGE": LARGE, "A": "", "a.b-c": "$A ${A} $(A)\n'\"\\"})
async def test_every_byte_but_nul_arrives(worker: Worker, bare_image: str, variables: dict[str, str]) -> None:
    if not container_ids(worker.instance):
        await create(worker, "exact")
    answer = await worker.commander.ok("POST", "/projects/exact/env", {"env": variables, "mode": "replace"})
    assert answer["keys"] == sorted(variables)

    assert (await deploy(worker, "exact", bare_image))["status"] == "active"

    [container_id] = container_ids(worker.instance, project="exact")
    seen = environment_of(container_id)
    expected = octets(variables)
    assert {name: value for name, value in seen.items() if name.decode() not in OURS} == expected
    assert seen[b"PORT"] == b"8080"


async def test_merging_changes_and_removes_and_replacing_forgets_and_apply_does_it_now(
    worker: Worker, bare_image: str
) -> None:
    commander = worker.commander
    await create(worker, "exact")
    first = await commander.ok("POST", "/projects/exact/env?apply=1", {"env": {"A": "1", "B": "2", "C": "3"}})
    assert first == {"keys": ["A", "B", "C"], "applied": False}, "there is nothing to apply it to yet"
    await deploy(worker, "exact", bare_image)

    changes = {"env": {"A": "one", "B": None, "D": "4"}, "mode": "merge"}
    merged = await commander.ok("POST", "/projects/exact/env?apply=1", changes)

    assert (merged["keys"], merged["applied"]) == (["A", "C", "D"], True)
    assert await ours(worker, str(merged["deploy_id"])) == {b"A": b"one", b"C": b"3", b"D": b"4"}
    replaced = await commander.ok(
        "POST", "/projects/exact/env?apply=1", {"env": {"E": "5"}, "mode": "replace"}
    )
    assert await ours(worker, str(replaced["deploy_id"])) == {b"E": b"5"}


async def ours(worker: Worker, deploy_id: str) -> dict[bytes, bytes]:
    """What the app sees when the deploy is over, without what every container has."""
    path = f"/projects/exact/deploys/{deploy_id}"
    while (await worker.commander.ok("GET", path))["finished_at"] is None:
        await asyncio.sleep(0.1)
    [container_id] = container_ids(worker.instance, project="exact")
    return {name: value for name, value in environment_of(container_id).items() if name.decode() not in OURS}


IMPOSSIBLE: list[dict[str, object]] = [
        {"": "x"}, {"1A": "x"}, {"A=B": "x"}, {"A B": "x"}, {"Ä": "x"}, {"A\n": "x"}, {"A" * 257: "x"}, {"-A": "x"},
        {"A": "x\0y"}, {"A": "x" * 131_070}, {"A": "é" * 65_535}, {"A": 1}, {"A": ["x"]}, {"A": None},
]  # fmt: skip


async def test_what_no_process_could_have_is_refused_and_changes_nothing(worker: Worker) -> None:
    commander = worker.commander
    await create(worker, "exact")
    await commander.ok("POST", "/projects/exact/env", {"env": {"KEPT": "1"}})

    for variables in IMPOSSIBLE:
        status, answer = await commander.call(
            "POST", "/projects/exact/env", {"env": {"GOOD": "1", **variables}, "mode": "replace"}
        )

        assert status == 422, (str(variables)[:100], answer)
        assert "x" * 100 not in str(answer), "no value is quoted"
    kept = await commander.ok("POST", "/projects/exact/env", {"env": {}, "mode": "merge"})
    assert kept["keys"] == ["KEPT"]


async def test_a_lone_surrogate_is_refused_since_no_text_has_one(worker: Worker) -> None:
    await create(worker, "exact")
    octets = b'{"env":{"A":"\\ud800"}}'
    signed = worker.commander.signed("POST", "/projects/exact/env", octets)
    assert (await worker.commander.send("POST", "/projects/exact/env", octets, signed))[0] == 422


async def test_variables_that_are_set_at_the_same_time_are_all_kept(worker: Worker) -> None:
    await create(worker, "app")
    changes = [{f"KEY_{number}": str(number)} for number in range(20)]

    await asyncio.gather(
        *(worker.commander.ok("POST", "/projects/app/env", {"env": change}) for change in changes)
    )

    kept = await worker.commander.ok("POST", "/projects/app/env", {"env": {}})
    assert kept["keys"] == sorted(f"KEY_{number}" for number in range(20))
