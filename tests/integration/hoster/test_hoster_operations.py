"""An operation is performed under its request id, or the id is cancelled: never both, never neither."""

import asyncio
from typing import Any

import pytest

from shared import identity
from shared.identity import ANONYMOUS, SignedRequest
from tests.integration.hoster.conftest import IDENTITY_SECRET, Answer, User

DEPLOYMENTS = "/api/v1/deployments"
BODY = {"name": "x", "source": {"image": "localhost/x:1", "port": 80}, "start": False}


async def ask_as_gateway(user: User, method: str, request_id: str) -> Answer:
    target = f"/internal/operations/{request_id}"
    signed = SignedRequest(method, target, "own")
    signature = identity.sign(IDENTITY_SECRET.encode(), ANONYMOUS, signed, int(user.clock.now()))
    headers = {identity.SIGNATURE: signature, identity.REQUEST_ID: "own"}
    return await user.ask_raw(method, target, None, headers)


async def _totals(user: User) -> tuple[int, int]:
    deployments = await user.ask("GET", DEPLOYMENTS)
    events = await user.ask("GET", "/api/v1/billing/events")
    return deployments.body["total"], events.body["total"]


async def test_a_cancelled_request_is_refused_when_it_comes_after_all(user: User) -> None:
    asked = await ask_as_gateway(user, "GET", "late")
    assert (asked.status, asked.body["cancellable"]) == (404, True)
    assert (await ask_as_gateway(user, "DELETE", "late")).status == 410
    assert (await ask_as_gateway(user, "DELETE", "late")).status == 410
    assert (await ask_as_gateway(user, "GET", "late")).status == 410

    late = await user.ask("POST", DEPLOYMENTS, BODY, request_id="late")
    assert (late.status, late.body["code"], "X-Event-Type" in late.headers) == (
        503, "operation_cancelled", False,
    )  # fmt: skip
    assert await _totals(user) == (0, 0)


async def test_what_was_performed_cannot_be_cancelled(user: User) -> None:
    created = await user.ask("POST", DEPLOYMENTS, BODY, request_id="done")
    answer = await ask_as_gateway(user, "DELETE", "done")

    assert (answer.status, answer.body["event_type"]) == (200, "deployment.created")
    deleted = await user.ask("DELETE", f"{DEPLOYMENTS}/{created.body['id']}", request_id="done-too")
    assert deleted.headers["X-Event-Type"] == "deployment.deleted"


async def test_a_cancelled_request_is_not_kept_as_the_answer_to_its_idempotency_key(user: User) -> None:
    await ask_as_gateway(user, "DELETE", "late")
    answers = []
    for request_id in ("late", "retry"):
        headers = user.headers("POST", DEPLOYMENTS, request_id) | {"Idempotency-Key": "k"}
        answers.append(await user.ask_raw("POST", DEPLOYMENTS, BODY, headers))

    assert [answer.status for answer in answers] == [503, 202]
    assert await _totals(user) == (1, 1)


async def test_of_an_operation_and_its_cancellation_at_once_exactly_one_succeeds(user: User) -> None:
    async def race(number: int) -> tuple[int, int]:
        request_id = f"race-{number}"
        asked: list[Any] = [
            user.ask("POST", DEPLOYMENTS, BODY, request_id=request_id),
            ask_as_gateway(user, "DELETE", request_id),
        ]
        answers = await asyncio.gather(*(asked if number % 2 else reversed(asked)))
        performed, cancelled = answers if number % 2 else reversed(answers)
        return performed.status, cancelled.status

    outcomes = [await race(number) for number in range(40)]

    assert set(outcomes) <= {(202, 200), (503, 410)}
    performed = outcomes.count((202, 200))
    assert await _totals(user) == (performed, performed)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_operations_are_no_business_of_users(user: User, method: str) -> None:
    assert (await user.ask(method, "/internal/operations/x")).status == 404
    assert (await user.ask_raw(method, "/internal/operations/x", None, {})).status == 404
    assert (await ask_as_gateway(user, "GET", "x")).status == 404
