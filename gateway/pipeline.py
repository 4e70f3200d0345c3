"""The pipeline: fifteen steps in one order, for streamed and short answers alike.

It runs without waiting whenever everything it needs is at hand: public requests, authenticated ones whose credential is cached,
billed ones with counters in the process. With Redis a billed request waits on one Future.
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.accounts.ongoing_answers import OngoingAnswers
from gateway.accounts.principal import Authenticator, Principal
from gateway.counters.admission import Admission, Answer
from gateway.exchanges import BilledExchange, RoutedExchange
from gateway.metering.meter import Inquire, Meter
from gateway.observation.traffic import Traffic
from gateway.routes.route import Lane
from gateway.routes.table import Match
from gateway.rules.client_address import TrustedProxies
from gateway.rules.period import PeriodNow
from gateway.steps.step_01_extract_credential import extract_credential
from gateway.steps.step_02_validate_format import validate_format
from gateway.steps.step_03_look_up_credential import look_up_credential
from gateway.steps.step_04_verify_credential import verify_credential
from gateway.steps.step_05_check_user_status import ActiveUser, check_user_status
from gateway.steps.step_06_check_quota import QuotaClaim, check_quota
from gateway.steps.step_07_check_rate_limit import admitted, check_rate_limit
from gateway.steps.step_08_resolve_entitlements import Entitled, resolve_entitlements
from gateway.steps.step_09_match_route import match_route
from gateway.steps.step_10_transform_request import transform_request
from gateway.steps.step_11_rewrite_path import rewrite_path
from gateway.steps.step_12_forward_upstream import Signer, begin_intent, forward_upstream
from shared.clock import Clock
from shared.relay.director import Decision, Exchange, Forward, RequestHead, Respond

Refuse = Callable[[RequestHead, Exception], Respond]


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in, and what goes on only as long as they would be."""

    authenticator: Authenticator
    ongoing_answers: OngoingAnswers


@dataclass(frozen=True, slots=True)
class Billing:
    admission: Admission
    meter: Meter
    inquire: Inquire


class Pipeline:
    def __init__(
        self,
        access: Access,
        billing: Billing,
        signer: Signer,
        proxies: TrustedProxies,
        traffic: Traffic,
        refuse: Refuse,
        clock: Clock,
    ) -> None:
        self._authenticator = access.authenticator
        self._ongoing_answers = access.ongoing_answers
        self._billing = billing
        self._signer = signer
        self._proxies = proxies
        self._traffic = traffic
        self._refuse = refuse
        self._clock = clock
        self._period = PeriodNow()

    def run(self, match: Match) -> Decision | Awaitable[Decision]:
        """Raises what `gateway.errors` names; what is awaited answers it instead."""
        if match.route.lane is Lane.PUBLIC:
            return self._forward(match, None)
        credential = validate_format(extract_credential(match))
        found = look_up_credential(self._authenticator, credential)
        if isinstance(found, Principal):
            return self._identified(match, found)
        return self._identified_later(match, found)

    async def _identified_later(self, match: Match, pending: Awaitable[Principal]) -> Decision:
        try:
            decision = self._identified(match, await pending)
            return decision if isinstance(decision, (Forward, Respond)) else await decision
        except Exception as error:  # noqa: BLE001 - every error has an answer, the unknown ones a logged 500
            return self._refuse(match.head, error)

    def _identified(self, match: Match, principal: Principal) -> Decision | Awaitable[Decision]:
        user = check_user_status(verify_credential(principal))
        if match.route.lane is Lane.BILLING:
            return self._billed(match, user)
        return self._forward(match, resolve_entitlements(match, user))

    def _billed(self, match: Match, user: ActiveUser) -> Decision | Awaitable[Decision]:
        admission = self._billing.admission
        quota = check_quota(match, user, self._period.at(self._clock.now()), admission)
        waiting: Future[Decision] | None = None

        def then(answer: Answer) -> None:
            if waiting is not None and not waiting.done():
                waiting.set_result(self._judged_or_refused(match, quota, answer))

        answer = check_rate_limit(quota, admission, then)
        if answer is not None:
            return self._judged(match, quota, answer)
        waiting = asyncio.get_running_loop().create_future()
        return waiting

    def _judged_or_refused(self, match: Match, quota: QuotaClaim, answer: Answer) -> Decision:
        try:
            return self._judged(match, quota, answer)
        except Exception as error:  # noqa: BLE001 - every error has an answer, the unknown ones a logged 500
            return self._refuse(match.head, error)

    def _judged(self, match: Match, quota: QuotaClaim, answer: Answer) -> Decision:
        user = admitted(match, quota, answer, self._billing.admission)
        try:
            return self._forward(match, resolve_entitlements(match, user))
        except Exception:
            self._billing.admission.give_back(user.claim)
            raise

    def _forward(self, match: Match, entitled: Entitled | None) -> Decision:
        bound = match_route(match, entitled)
        rewritten = rewrite_path(transform_request(bound, self._proxies))
        now = self._clock.now
        exchange: Exchange
        if entitled is None or entitled.admitted is None:
            exchange = RoutedExchange(bound, self._traffic, now, self._ongoing_answers)
        else:
            intent = begin_intent(rewritten, entitled.admitted, self._billing.meter, now())
            exchange = BilledExchange(
                bound, intent, self._billing.meter, self._billing.inquire, self._traffic, now
            )
        forward = forward_upstream(rewritten, self._signer, exchange)
        self._traffic.forwarded()
        return forward
