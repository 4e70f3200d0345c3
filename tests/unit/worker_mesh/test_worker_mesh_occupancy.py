"""Who a connection of the mesh is to: the container that was meant, in the same start, at the same address, or nobody."""

import asyncio
from dataclasses import replace

import pytest

from worker.errors import EngineUnavailable
from worker.mesh.occupancy import Occupancy, SharedLook
from worker.mesh.table import Backend
from worker.runtime.engine import ContainerSeen

STARTED = "2026-11-22T10:00:00.123456789Z"
SEEN = ContainerSeen(
    container_id="c1", name="app", labels={}, image="i1", status="running", running=True, started_at=STARTED, exit_code=0,
    oom_killed=False, health=None, addresses={"org": "10.0.0.2"}, restarts=0,
)  # fmt: skip
BACKEND = Backend("web", "10.0.0.2", 8080, "r1", "c1", STARTED)


class Engine:
    def __init__(self, seen: ContainerSeen | Exception | None) -> None:
        self.seen = seen
        self.looks = 0

    async def inspect(self, container_id: str) -> ContainerSeen | None:
        self.looks += 1
        assert container_id == BACKEND.container_id
        await asyncio.sleep(0)
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen


@pytest.mark.parametrize(
    ("seen", "is_theirs"),
    [
        (SEEN, True),
        (None, False),
        (replace(SEEN, running=False), False),
        (replace(SEEN, started_at="2026-11-22T10:00:09Z"), False),
        (replace(SEEN, addresses={"org": "10.0.0.3"}), False),
        (EngineUnavailable("away"), True),
    ],
)
async def test_a_connection_counts_when_the_container_is_still_where_it_was_meant_to_be(
    *, seen: ContainerSeen | Exception | None, is_theirs: bool
) -> None:
    assert await Occupancy(Engine(seen)).of(BACKEND)() is is_theirs


class BusyEngine:
    """Answers about a container once it has let go of it, after so many questions; about others at once."""

    def __init__(self, held_for: int) -> None:
        self._held_for = held_for

    async def inspect(self, container_id: str) -> ContainerSeen | None:
        if container_id != BACKEND.container_id:
            return None
        if self._held_for:
            self._held_for -= 1
            await asyncio.Event().wait()
        return replace(SEEN, started_at="2026-11-22T10:00:09Z")


class SilentEngine:
    async def inspect(self, container_id: str) -> ContainerSeen | None:
        await asyncio.Event().wait()
        raise AssertionError(container_id)


async def test_a_container_that_is_just_being_started_is_waited_for_since_its_address_may_be_anothers() -> (
    None
):
    assert await Occupancy(BusyEngine(held_for=1)).of(BACKEND)() is False


async def test_an_engine_that_answers_nothing_at_all_is_no_reason_to_refuse() -> None:
    assert await Occupancy(SilentEngine()).of(BACKEND)() is True


async def test_many_connections_at_once_are_two_looks_at_most_and_a_later_one_is_looked_at_anew() -> None:
    engine = Engine(SEEN)
    look = Occupancy(engine).of(BACKEND)

    assert await asyncio.gather(*(look() for _ in range(50))) == [True] * 50
    assert engine.looks <= 2
    engine.seen = None
    assert await look() is False


async def test_a_look_that_began_before_proves_nothing() -> None:
    answers = iter((True, False))
    began = asyncio.Event()

    async def see() -> bool:
        answer = next(answers)
        began.set()
        await asyncio.sleep(0.01)
        return answer

    look = SharedLook(see)
    first = asyncio.ensure_future(look())
    await began.wait()

    assert await look() is False
    assert await first is True
