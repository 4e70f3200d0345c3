"""Long-lived background tasks: named, watched, and never lost silently."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import structlog

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0

BackgroundJob = Callable[[], Coroutine[object, object, None]]


@asynccontextmanager
async def supervised(jobs: dict[str, BackgroundJob], on_death: Callable[[], None]) -> AsyncIterator[None]:
    """Runs each job as a named task until the block ends.

    A job that returns or raises before that is a defect: it is logged and `on_death` is called, which stops the service, so
    that a process never lives on without its shipper, reconciler or heartbeat.
    """
    log = structlog.get_logger("supervise")
    ending = False

    def ended(task: asyncio.Task[None]) -> None:
        if ending or task.cancelled():
            return
        log.error("background_job_ended", job=task.get_name(), exc_info=task.exception())
        on_death()

    tasks = [asyncio.create_task(job(), name=name) for name, job in jobs.items()]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        ending = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def forever(every_s: float, step: Callable[[], Awaitable[object]], name: str) -> None:
    """Repeats `step`. Failure policy: an error is logged and a later turn tries again, after a pause that grows to 5 s in a row of errors."""
    log = structlog.get_logger("supervise")
    failures = 0
    while True:
        try:
            await step()
            failures = 0
        except Exception:
            log.exception("background_step_failed", job=name)
            failures += 1
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(failures, 10), _LONGEST_PAUSE_S) if failures else 0.0
        await asyncio.sleep(max(every_s, pause_s))
