import asyncio
import io
import json
import statistics
import time
from typing import Any

import structlog

from shared.log import redact

PASSWORD = "correct horse battery staple"


async def test_signing_up_answers_exactly_the_fields_of_the_contract(gateway: Any) -> None:
    answer = await gateway.call(
        "POST",
        "/mod/auth/register",
        {"email": "  Ann@Example.COM ", "password": PASSWORD, "name": "Ann"},
        headers={"X-Request-ID": "req-1"},
    )

    assert answer.status == 201
    assert set(answer.body) == {"user", "token", "token_type", "expires_in"}
    assert answer.body["token_type"] == "Bearer"
    assert answer.body["expires_in"] == 3600
    user = answer.body["user"]
    assert set(user) == {"id", "email", "name", "org_id", "plan_id", "role", "status", "created_at"}
    assert user["email"] == "ann@example.com"
    assert user["id"].startswith("user_")
    assert user["org_id"].startswith("org_")
    assert (user["plan_id"], user["role"], user["status"]) == ("free", "user", "active")
    assert user["created_at"].endswith("Z")
    assert answer.headers["X-Request-ID"] == "req-1"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_me_shows_the_user_the_plan_and_the_quota(gateway: Any) -> None:
    signed_up = await gateway.sign_up()

    answer = await gateway.call("GET", "/mod/auth/me", token=signed_up["token"])

    assert answer.status == 200
    assert answer.body["user"] == signed_up["user"]
    assert answer.body["plan"]["id"] == "free"
    assert answer.body["plan"]["limits"] == {"max_deployments": 1}
    assert set(answer.body["quota"]) == {"limit", "used", "remaining", "resets_at"}


async def test_usage_still_answers_when_the_counters_do_not(gateway: Any) -> None:
    signed_up = await gateway.sign_up()
    gateway.books.counters_reachable = False

    answer = await gateway.call("GET", "/mod/usage", token=signed_up["token"])

    assert (answer.status, answer.body["rate"], answer.body["totals"]) == (200, None, [])
    assert set(answer.body["quota"]) == {"limit", "used", "remaining", "resets_at"}


async def test_of_two_simultaneous_registrations_with_one_address_exactly_one_succeeds(gateway: Any) -> None:
    answers = await asyncio.gather(
        *(
            gateway.call("POST", "/mod/auth/register", {"email": email, "password": PASSWORD})
            for email in ("ann@example.com", "ANN@example.com")
        )
    )

    assert sorted(answer.status for answer in answers) == [201, 409]
    assert {answer.body.get("code") for answer in answers} == {None, "email_taken"}


async def test_all_faults_of_a_registration_come_together_and_never_repeat_the_password(gateway: Any) -> None:
    secret = "S3cr3t!"
    answer = await gateway.call(
        "POST", "/mod/auth/register", {"email": "nobody", "password": secret, "plan_id": "pro"}
    )

    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {fault["field"] for fault in answer.body["errors"]} == {"email", "password", "plan_id"}
    assert secret not in json.dumps(answer.body)


async def test_the_bounds_of_a_password_count_characters_and_not_bytes(gateway: Any) -> None:
    async def register(password: str) -> int:
        body = {"email": f"user{len(password)}@example.com", "password": password}
        return int((await gateway.call("POST", "/mod/auth/register", body)).status)

    assert await register("é" * 7) == 422
    assert await register("é" * 8) == 201
    assert await register("é" * 128) == 201
    assert await register("é" * 129) == 422


async def test_what_is_not_json_is_told_so(gateway: Any) -> None:
    for content in (b"", b"{", b"\xff\xfe", b'{"email":"\\ud800"}', b"[" * 10_000):
        answer = await gateway.call("POST", "/mod/auth/login", data=content)

        assert (answer.status, answer.body["code"]) == (400, "bad_json")


async def test_a_body_that_is_too_large_is_refused(gateway: Any) -> None:
    answer = await gateway.call("POST", "/mod/auth/login", data=b"x" * 100_000)

    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


async def test_login_takes_the_address_in_any_spelling_and_only_the_right_password(gateway: Any) -> None:
    await gateway.sign_up("ann@example.com")

    right = await gateway.login("ANN@example.com", PASSWORD)
    wrong = await gateway.login("ann@example.com", PASSWORD + "!")
    unknown = await gateway.login("bob@example.com", PASSWORD)
    no_address = await gateway.login("not an address", PASSWORD)

    assert right.status == 200
    assert {(a.status, a.body["code"]) for a in (wrong, unknown, no_address)} == {
        (401, "invalid_credentials")
    }


async def test_logout_takes_effect_at_once_for_a_token_that_is_cached(gateway: Any) -> None:
    token = (await gateway.sign_up())["token"]
    assert await gateway.status_of(token) == (200, None)

    assert (await gateway.call("POST", "/mod/auth/logout", token=token)).status == 204

    assert await gateway.status_of(token) == (401, "token_revoked")
    again = await gateway.call("POST", "/mod/auth/logout", token=token)
    assert again.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_refresh_gives_a_new_token_and_ends_the_old_session(gateway: Any) -> None:
    old = (await gateway.sign_up())["token"]

    answer = await gateway.call("POST", "/mod/auth/refresh", token=old)

    assert answer.status == 200
    assert await gateway.status_of(answer.body["token"]) == (200, None)
    assert await gateway.status_of(old) == (401, "token_revoked")


async def test_of_simultaneous_refreshes_of_one_token_exactly_one_succeeds(gateway: Any) -> None:
    old = (await gateway.sign_up())["token"]

    answers = await asyncio.gather(*(gateway.call("POST", "/mod/auth/refresh", token=old) for _ in range(5)))

    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]


async def test_a_new_password_ends_all_other_sessions_and_the_old_password(gateway: Any) -> None:
    mine = (await gateway.sign_up("ann@example.com"))["token"]
    other = (await gateway.login("ann@example.com", PASSWORD)).body["token"]
    assert await gateway.status_of(other) == (200, None)

    body = {"current_password": PASSWORD, "new_password": "another long password"}
    answer = await gateway.call("POST", "/mod/auth/password", body, token=mine)

    assert answer.status == 204
    assert await gateway.status_of(mine) == (200, None)
    assert await gateway.status_of(other) == (401, "token_revoked")
    assert (await gateway.login("ann@example.com", PASSWORD)).status == 401
    assert (await gateway.login("ann@example.com", "another long password")).status == 200


async def test_the_current_password_is_needed_for_a_new_one(gateway: Any) -> None:
    token = (await gateway.sign_up("ann@example.com"))["token"]

    body = {"current_password": "a guess at it", "new_password": "another long password"}
    answer = await gateway.call("POST", "/mod/auth/password", body, token=token)

    assert (answer.status, answer.body["code"]) == (401, "invalid_credentials")
    assert (await gateway.login("ann@example.com", PASSWORD)).status == 200


async def test_repeated_failures_make_an_account_wait_even_for_the_right_password(gateway: Any) -> None:
    await gateway.sign_up("ann@example.com")
    for _ in range(5):
        assert (await gateway.login("ann@example.com", "a wrong one")).status == 401

    answer = await gateway.login("ann@example.com", PASSWORD)

    assert (answer.status, answer.body["code"]) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) >= 1

    gateway.clock.shift += int(answer.headers["Retry-After"]) + 0.1
    assert (await gateway.login("ann@example.com", PASSWORD)).status == 200


async def test_an_unknown_account_backs_off_like_a_known_one(gateway: Any) -> None:
    statuses = [(await gateway.login("nobody@example.com", "a wrong one")).status for _ in range(6)]

    assert statuses == [401] * 5 + [429]


async def test_many_sign_ins_of_one_user_at_once_are_not_taken_for_an_attack(gateway: Any) -> None:
    await gateway.sign_up("ann@example.com")

    answers = await asyncio.gather(*(gateway.login("ann@example.com", PASSWORD) for _ in range(12)))

    assert {answer.status for answer in answers} == {200}


async def test_an_unknown_user_is_refused_in_the_time_of_a_known_one(gateway: Any) -> None:
    await gateway.sign_up("ann@example.com")

    async def seconds(email: str) -> float:
        """Of the processor: those in which another process had it tell nothing."""
        start = time.process_time()
        assert (await gateway.login(email, "a wrong one")).status == 401
        gateway.clock.shift += 1000.0  # past any back-off
        return time.process_time() - start

    known, unknown = [], []
    for _ in range(7):
        known.append(await seconds("ann@example.com"))
        unknown.append(await seconds("nobody@example.com"))

    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2.0


async def test_a_suspended_user_cannot_sign_in_and_only_learns_it_with_the_right_password(
    gateway: Any,
) -> None:
    user = (await gateway.sign_up("ann@example.com"))["user"]
    await gateway.suspend(user["id"])

    wrong = await gateway.login("ann@example.com", "a wrong one")
    right = await gateway.login("ann@example.com", PASSWORD)

    assert (wrong.status, wrong.body["code"]) == (401, "invalid_credentials")
    assert (right.status, right.body["code"]) == (403, "user_suspended")


async def test_passwords_and_tokens_never_reach_the_log(gateway: Any) -> None:
    written = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )
    try:
        token = (await gateway.sign_up("ann@example.com"))["token"]
        await gateway.login("ann@example.com", "a wrong password")
        body = {"current_password": PASSWORD, "new_password": "another long password"}
        await gateway.call("POST", "/mod/auth/password", body, token=token)
    finally:
        structlog.configure(**before)

    log = written.getvalue()
    assert "user_registered" in log
    assert "login_failed" in log
    for secret in (PASSWORD, "a wrong password", "another long password", token, "ann@example.com"):
        assert secret not in log
