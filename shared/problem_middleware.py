"""The edge of an aiohttp service: one table turns domain errors into problems, everything else into a logged 500."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from structlog.typing import FilteringBoundLogger

from shared.identity import REQUEST_ID
from shared.problem import CONTENT_TYPE, Problem

ProblemTable = Mapping[type[Exception], Callable[[Exception], Problem]]

_ROUTING = {
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not take that method."),
    413: ("body_too_large", "The request body is larger than this route accepts."),
}


def problem_response(problem: Problem, request_id: str) -> web.Response:
    return web.Response(
        status=problem.status,
        body=problem.body(request_id),
        headers={**problem.headers, REQUEST_ID: request_id} if request_id else dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


def problem_middleware(table: ProblemTable, new_request_id: Callable[[], str]) -> Middleware:
    """Maps by the exact class, then by its bases, so that a family of errors may share a row.

    The request id is the caller's `X-Request-ID` where there is one (it comes from APIGate), else a new one.
    """
    log: FilteringBoundLogger = structlog.get_logger("problem")

    @web.middleware
    async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = request.headers.get(REQUEST_ID) or new_request_id()
        try:
            return await handler(request)
        except web.HTTPException as raised:
            if raised.status < 400:
                raise
            code, detail = _ROUTING.get(
                raised.status, ("bad_request", "The request could not be understood.")
            )
            headers = {"Allow": raised.headers["Allow"]} if "Allow" in raised.headers else {}
            return problem_response(Problem(raised.status, code, detail, headers=headers), request_id)
        except Exception as error:  # noqa: BLE001 - the edge: what the table does not know is logged as unhandled
            problem = _find(table, error)
            if problem is None:
                _log_unhandled(log, request, request_id, error)
                problem = Problem(
                    500, "internal_error", "Something went wrong on our side; it has been logged."
                )
            return problem_response(problem, request_id)

    return answer_problems


def _log_unhandled(
    log: FilteringBoundLogger, request: web.Request, request_id: str, error: Exception
) -> None:
    """Failure policy: a traceback that cannot be written (nested too deeply, a message that raises) is left out, and a log that
    cannot be written at all is done without. The caller is answered in any case.
    """
    about = {"request_id": request_id, "method": request.method, "path": request.path}
    try:
        log.error("unhandled_error", exc_info=error, **about)
    except Exception as unloggable:  # noqa: BLE001 - see the policy
        with suppress(Exception):
            kinds = {"error": type(error).__name__, "without_traceback": type(unloggable).__name__}
            log.error("unhandled_error", **about, **kinds)  # noqa: TRY400 - the traceback is what could not be written


def _find(table: ProblemTable, error: Exception) -> Problem | None:
    for kind in type(error).__mro__:
        to_problem = table.get(kind)
        if to_problem is not None:
            return to_problem(error)
    return None


async def hide_server_software(_request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: which software answers, and in which version, is nobody's business (RFC 9110 section 10.2.4)."""
    response.headers.pop("Server", None)
