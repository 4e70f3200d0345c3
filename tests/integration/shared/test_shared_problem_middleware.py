"""Whatever goes wrong, and however badly: the caller gets a problem."""

from collections.abc import Callable

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.problem_middleware import problem_middleware


class _LogIsGone(Exception):
    """As a disk that is full."""


def _recurses() -> None:
    _recurses()


def _is_nested_too_deeply() -> None:
    """structlog's own form of a traceback calls itself for each group, and ends in a RecursionError."""
    error: Exception = RecursionError()
    for _ in range(5_000):
        error = ExceptionGroup("around it", [error])
    raise error


async def _answer_to(fault: Callable[[], None]) -> tuple[int, str, str]:
    async def fail(_request: web.Request) -> web.Response:
        fault()
        return web.Response()

    app = web.Application(middlewares=[problem_middleware({}, lambda: "req_1")])
    app.router.add_get("/", fail)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/")
        body = await answer.json(content_type="application/problem+json")
    return answer.status, body["code"], body["request_id"]


@pytest.mark.parametrize("fault", [_recurses, _is_nested_too_deeply])
async def test_an_error_whose_traceback_cannot_be_written_is_answered_and_named_in_the_log(
    fault: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()

    assert await _answer_to(fault) == (500, "internal_error", "req_1")
    logged = capsys.readouterr().out
    assert "unhandled_error" in logged
    assert "req_1" in logged


async def test_an_error_is_answered_where_nothing_can_be_logged_at_all() -> None:
    def refuse(*_anything: object) -> dict[str, object]:
        raise _LogIsGone

    structlog.configure(processors=[refuse])
    try:
        assert await _answer_to(_recurses) == (500, "internal_error", "req_1")
    finally:
        structlog.reset_defaults()
