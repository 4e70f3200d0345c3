import json
import logging
import re
import uuid

import pytest
import structlog

from shared.clock import rfc3339
from shared.config import ConfigInvalid, Environment, Secret, parse_duration
from shared.ids import new_id, request_ids
from shared.log import configure_logging, redact, redact_text
from shared.problem import FieldFault, Problem
from shared.sse import encode_event


class FixedClock:
    def __init__(self, now: float) -> None:
        self.moment = now

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment


def test_request_ids_are_uuid_version_7_and_carry_the_time() -> None:
    clock = FixedClock(1_800_000_000.125)
    next_id = request_ids(clock)

    made = [uuid.UUID(next_id()) for _ in range(1000)]

    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert {one.int >> 80 for one in made} == {1_800_000_000_125}
    assert len(set(made)) == 1000


def test_ids_carry_their_prefix_and_128_bits() -> None:
    assert re.fullmatch(r"dep_[0-9a-f]{32}", new_id("dep_"))


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_800_000_000.1239) == "2027-01-15T08:00:00.123Z"


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("24h", 86400.0), ("1.5s", 1.5)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1 hour", "1w"])
def test_a_duration_without_a_known_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_every_fault_of_the_environment_is_reported_together_and_no_secret_is_shown() -> None:
    environment = Environment({"IDENTITY_SECRET": "hunter2", "PORT": "70000", "TTL": "soon", "FORM": "xml"})
    environment.secret("IDENTITY_SECRET")
    environment.secret("OTHER_SECRET")
    environment.port("PORT", 8082)
    environment.duration("TTL", "24h")
    environment.choice("FORM", "json", ("json", "console"))

    with pytest.raises(ConfigInvalid) as raised:
        environment.close()

    assert len(raised.value.faults) == 5
    assert "hunter2" not in str(raised.value)


def test_a_secret_does_not_show_in_its_repr() -> None:
    assert "hunter2" not in repr(Secret(b"hunter2"))
    assert "hunter2" not in f"{Secret(b'hunter2')}"


@pytest.mark.parametrize(
    "text",
    [
        "GET /x?api_key=s3cr3t&y=1",
        "Authorization: Bearer s3cr3t.s3cr3t",
        "key ak_s3cr3ts3cr3ts3cr3t was used",
        "token eyJhbGciOi.s3cr3t.s3cr3t",
    ],
)
def test_secrets_inside_log_texts_are_taken_out(text: str) -> None:
    assert "s3cr3t" not in redact_text(text)


def test_secret_sounding_fields_are_taken_out_of_log_events() -> None:
    event = redact(
        None, "info", {"event": "login", "password": "a", "join_token": "b", "user": "c", "X-Signature": "d"}
    )

    assert event == {
        "event": "login",
        "password": "***",
        "join_token": "***",
        "user": "c",
        "X-Signature": "***",
    }


def test_log_lines_are_json_and_standard_library_warnings_come_out_alike(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("demo", "info", "json")
    structlog.get_logger("x").info("hello", count=1)
    structlog.get_logger("x").debug("hidden")
    logging.getLogger("aiohttp.server").warning("Bearer abc")

    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (first["event"], first["count"], first["service"], first["level"]) == ("hello", 1, "demo", "info")
    assert (second["event"], second["level"]) == ("Bearer ***", "warning")
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def test_a_problem_has_the_standard_members_and_its_own() -> None:
    problem = Problem(
        403,
        "plan_limit_reached",
        "At most 1.",
        (FieldFault("name", "is too long"),),
        {"limit": "max_deployments"},
    )

    body = json.loads(problem.body("req-1"))

    assert body == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "At most 1.",
        "code": "plan_limit_reached",
        "request_id": "req-1",
        "limit": "max_deployments",
        "errors": [{"field": "name", "message": "is too long"}],
    }


def test_an_event_keeps_line_breaks_inside_its_data() -> None:
    wire = encode_event("log", {"message": "50%\r100%\nnext"}, "7-1")

    assert wire == b'id: 7-1\nevent: log\ndata: {"message":"50%\\r100%\\nnext"}\n\n'
