import asyncio

from worker.runtime.engine_state import EngineState


async def test_a_change_wakes_the_heartbeat_at_once_and_only_once() -> None:
    state = EngineState()
    waiting = asyncio.create_task(state.change(30.0))
    await asyncio.sleep(0)

    assert state.see(up=True)
    async with asyncio.timeout(30):
        await waiting
    second = asyncio.create_task(state.change(30.0))
    await asyncio.sleep(0.01)
    assert not second.done()
    second.cancel()


async def test_a_change_that_came_before_the_wait_is_not_lost() -> None:
    state = EngineState()
    state.see(up=False)

    async with asyncio.timeout(30):
        await state.change(30.0)
    assert not state.up


def test_what_is_known_already_is_no_news() -> None:
    state = EngineState()

    assert [state.see(up=up) for up in (True, True, False, False, True)] == [True, False, True, False, True]
