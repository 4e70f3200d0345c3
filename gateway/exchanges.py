"""What the gateway does as a forwarded request is answered and ends: steps 13 to 15."""

from collections.abc import Callable, Sequence

from gateway.accounts.ongoing_answers import Ongoing, OngoingAnswers
from gateway.metering.meter import Inquire, Meter
from gateway.metering.records import Intent
from gateway.observation.traffic import CONTROL, Traffic
from gateway.steps.step_09_match_route import Bound
from gateway.steps.step_13_transform_response import standing_fields, transform_response
from gateway.steps.step_14_calculate_cost import calculate_cost
from gateway.steps.step_15_record_usage import Ended, record_usage
from shared.relay.director import Field, OngoingAnswer, Outcome, ResponseHead


class RoutedExchange:
    """A request that is not billed. When its answer goes on, it does so for as long as the credential is good."""

    __slots__ = ("_now", "_ongoing", "_ongoing_answers", "_traffic", "bound")

    def __init__(
        self, bound: Bound, traffic: Traffic, now: Callable[[], float], ongoing_answers: OngoingAnswers
    ) -> None:
        self.bound = bound
        self._traffic = traffic
        self._now = now
        self._ongoing_answers = ongoing_answers
        self._ongoing: Ongoing | None = None

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return transform_response(self.bound, head, self._now())

    def fault_fields(self) -> Sequence[Field]:
        return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        entitled = self.bound.entitled
        if entitled is not None:
            self._ongoing = self._ongoing_answers.begun(entitled.vouched.principal, answer)

    def finished(self, outcome: Outcome) -> None:
        ongoing = self._ongoing
        if ongoing is not None:
            self._ongoing = None
            self._ongoing_answers.over(ongoing)
        route = self.bound.match.route
        self._traffic.ended(route.name, route.lane, outcome)


class BilledExchange:
    """A request with an intent in the journal, to which `finished` gives its end."""

    __slots__ = ("_head", "_inquire", "_intent", "_meter", "_now", "_traffic", "bound")

    def __init__(
        self,
        bound: Bound,
        intent: Intent,
        meter: Meter,
        inquire: Inquire,
        traffic: Traffic,
        now: Callable[[], float],
    ) -> None:
        self.bound = bound
        self._intent = intent
        self._meter = meter
        self._inquire = inquire
        self._traffic = traffic
        self._now = now
        self._head: ResponseHead | None = None

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        self._head = head
        return transform_response(self.bound, head, self._now())

    def fault_fields(self) -> Sequence[Field]:
        return standing_fields(self.bound, self._now())

    def goes_on(self, answer: OngoingAnswer) -> None:
        """What was paid for is told to its end."""

    def finished(self, outcome: Outcome) -> None:
        route = self.bound.match.route
        self._traffic.ended(route.name, route.lane, outcome)
        priced = calculate_cost(self.bound, self._head, outcome)
        ended = Ended(outcome, answered=self._head is not None)
        record_usage(self._intent, ended, priced, self.bound.upstream, self._meter, self._inquire)


class ControlExchange:
    """A request to the gateway's own paths."""

    __slots__ = ("_traffic",)

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def response_fields(self, head: ResponseHead) -> Sequence[Field]:
        return head.fields

    def fault_fields(self) -> Sequence[Field]:
        return ()

    def goes_on(self, answer: OngoingAnswer) -> None:
        """The gateway's own answers are short."""

    def finished(self, outcome: Outcome) -> None:
        self._traffic.ended(CONTROL, None, outcome)
