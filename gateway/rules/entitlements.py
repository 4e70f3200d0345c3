"""What a plan allows: the numbers that the gateway enforces, and the limits it passes on as `X-Plan-Limits`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.accounts.principal import PlanId


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`requests_per_month` -1 is unlimited. `limits_text` is compact JSON, signed and sent as it is."""

    plan_id: PlanId
    requests_per_month: int
    rate_per_minute: int
    burst: int
    limits_text: str


@dataclass(frozen=True, slots=True)
class Plans:
    """A user whose plan is no longer in the file has the default plan, and is shown with that."""

    by_id: Mapping[PlanId, Plan]
    default: Plan

    def of(self, plan_id: PlanId) -> Plan:
        return self.by_id.get(plan_id, self.default)


def limits_text(limits: Mapping[str, object]) -> str:
    return json.dumps(limits, separators=(",", ":"), ensure_ascii=True)
