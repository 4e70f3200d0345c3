"""Steps 12 (the intent) to 15, each alone: what the client is told, what it costs, and what is recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.counters.local_counters import LocalCounters
from gateway.counters.port import Admitted
from gateway.counters.refusals import KnownRefusals
from gateway.counters.settlements import Settlements
from gateway.metering.journal import Journal
from gateway.metering.meter import Meter
from gateway.metering.records import Intent, Result, Void
from gateway.metering.segments import START
from gateway.steps.step_09_match_route import Bound
from gateway.steps.step_11_rewrite_path import Rewritten
from gateway.steps.step_12_forward_upstream import begin_intent
from gateway.steps.step_13_transform_response import standing_fields, transform_response
from gateway.steps.step_14_calculate_cost import Priced, calculate_cost
from gateway.steps.step_15_record_usage import Ended, record_usage
from shared.relay.director import Ending, Outcome, ResponseHead
from tests.unit.gateway_steps.matching import NOW, PERIOD, REQUEST_ID, bound, match
from tests.unit.gateway_steps.test_steps_forwarding import FixedClock

ADMITTED = Admitted(quota_used=4, rate_remaining=2, rate_resets_in=3.0)


def outcome(status: int = 202, *, reached: bool = True, ending: Ending = Ending.COMPLETE) -> Outcome:
    return Outcome(status, ending, reached, 10, 20, 1.25)


def billed(target: str = "/bill") -> Bound:
    return bound(match(target, method="POST"), ADMITTED)


@dataclass
class Books:
    """A real journal and real counters; `asked` are the requests that the upstream is asked about."""

    journal: Journal
    counters: LocalCounters = field(default_factory=lambda: LocalCounters(FixedClock()))
    asked: list[str] = field(default_factory=list)

    @property
    def meter(self) -> Meter:
        return Meter(self.journal, self.counters, Settlements(self.counters, KnownRefusals(FixedClock())))

    def inquire(self, intent: Intent, _seen: Result | None) -> None:
        self.asked.append(intent.id)

    def begin(self, of: Bound) -> Intent:
        assert of.entitled is not None
        intent = begin_intent(Rewritten(of, [], "/bill"), of.entitled.admitted, self.meter, NOW)
        assert intent is not None
        return intent

    def recorded(self) -> list[object]:
        return [entry.ended for entry in self.journal.unshipped(most=10)]


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    journal = Journal.open(tmp_path / "journal", START)
    yield Books(journal)
    journal.close()


def test_step_12_writes_the_intent_before_anything_is_sent(books: Books) -> None:
    intent = books.begin(billed())

    assert (intent.id, intent.user_id, intent.route, intent.upstream) == (
        REQUEST_ID,
        "user_1",
        "closed",
        "hoster",
    )
    assert (intent.period_name, intent.counted, intent.created_at) == (PERIOD.name, True, NOW)
    assert books.journal.open_ids(intent.user_id, PERIOD.name) == [REQUEST_ID]


def test_step_13_tells_where_the_user_stands() -> None:
    fields = dict(transform_response(billed(), ResponseHead(202, [(b"Server", b"x")]), NOW))

    assert fields[b"Server"] == b"x"
    assert (fields[b"X-Quota-Limit"], fields[b"X-Quota-Used"], fields[b"X-Quota-Remaining"]) == (
        b"10",
        b"4",
        b"6",
    )
    assert fields[b"X-Quota-Reset"] == b"%d" % PERIOD.ends_at
    assert (fields[b"X-RateLimit-Limit"], fields[b"X-RateLimit-Remaining"]) == (b"60", b"2")
    assert fields[b"X-RateLimit-Reset"] == b"%d" % (NOW + 3)


def test_step_13_tells_nothing_of_limits_on_a_route_that_is_not_billed() -> None:
    head = ResponseHead(200, [(b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")])

    assert transform_response(bound(match("/api")), head, NOW) == head.fields
    assert standing_fields(bound(match("/api")), NOW) == []


def test_step_13_applies_the_routes_edits_and_leaves_out_a_field_whose_expression_fails() -> None:
    fields = transform_response(bound(match("/old/7")), ResponseHead(204, [(b"server", b"x")]), NOW)

    assert fields == [(b"X-Status", b"204")]


@pytest.mark.parametrize(
    ("target", "status", "cost"),
    [("/bill", 202, 2.5), ("/bill", 422, 0.0), ("/lenient", 202, 1.0), ("/lenient", 500, 1.0)],
)
def test_step_14_prices_by_the_expression_and_a_failing_one_costs_one(
    target: str, status: int, cost: float
) -> None:
    assert calculate_cost(billed(target), ResponseHead(status, []), outcome(status)).cost == cost


def test_step_14_takes_the_kind_of_event_from_the_upstream() -> None:
    head = ResponseHead(202, [(b"x-event-type", b"deployment.created")])

    assert calculate_cost(billed(), head, outcome()).event_type == "deployment.created"
    assert calculate_cost(billed(), None, outcome(502)).event_type is None


def test_step_15_records_what_was_answered(books: Books) -> None:
    found = billed()
    intent = books.begin(found)

    record_usage(
        intent,
        Ended(outcome(), answered=True),
        Priced(2.5, "made"),
        found.upstream,
        books.meter,
        books.inquire,
    )

    assert books.recorded() == [Result(REQUEST_ID, 202, "made", 2.5, 1.25, 10, 20)]
    assert books.asked == []


def test_step_15_records_no_event_for_what_never_reached_the_upstream(books: Books) -> None:
    found = billed()
    intent = books.begin(found)
    ended = Ended(outcome(502, reached=False, ending=Ending.UPSTREAM_FAILED), answered=False)

    record_usage(intent, ended, Priced(0.0, None), found.upstream, books.meter, books.inquire)

    assert books.recorded() == [Void(REQUEST_ID)]


@pytest.mark.parametrize(("target", "asked"), [("/bill", [REQUEST_ID]), ("/lenient", [])])
def test_step_15_asks_an_upstream_that_gave_no_answer_where_it_can_be_asked(
    books: Books, target: str, asked: list[str]
) -> None:
    found = billed(target)
    intent = books.begin(found)
    ended = Ended(outcome(504, ending=Ending.UPSTREAM_FAILED), answered=False)

    record_usage(intent, ended, Priced(1.0, None), found.upstream, books.meter, books.inquire)

    assert books.asked == asked
    assert len(books.recorded()) == (0 if asked else 1)
