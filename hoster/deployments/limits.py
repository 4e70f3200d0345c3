"""What a plan permits, read from `X-Plan-Limits`, and whether one more deployment still fits.

Rules: exactly at the limit is permitted; an empty `allowed_capabilities` forbids nothing; -1 is unlimited.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from hoster.deployments.resources import Resources

UNLIMITED = -1


class PlanLimitsUnreadable(Exception):
    """`X-Plan-Limits` is there but is not the JSON object that APIGate sends."""


class PlanLimitReached(Exception):
    """The plan does not permit this. `used` is before, `maximum` the plan's figure."""

    def __init__(self, limit: str, used: object, maximum: object) -> None:
        super().__init__(f"Your plan does not permit more: {limit} is {maximum}, in use {used}.")
        self.limit = limit
        self.used = used
        self.maximum = maximum


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    max_deployments: int
    max_cpu_cores: float
    max_memory_mb: int
    max_disk_mb: int
    allowed_capabilities: frozenset[str]

    def as_json(self) -> dict[str, object]:
        return {
            "max_deployments": self.max_deployments,
            "max_cpu_cores": self.max_cpu_cores,
            "max_memory_mb": self.max_memory_mb,
            "max_disk_mb": self.max_disk_mb,
            "allowed_capabilities": sorted(self.allowed_capabilities),
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """What a user's live deployments hold."""

    deployments: int
    resources: Resources

    def as_json(self) -> dict[str, object]:
        return {"deployments": self.deployments, **self.resources.as_json()}


FREE = PlanLimits(
    max_deployments=1, max_cpu_cores=1, max_memory_mb=1024, max_disk_mb=5120, allowed_capabilities=frozenset()
)


def parse_limits(text: str) -> PlanLimits:
    """An absent header is the empty string: the free plan's numbers, also for each absent member."""
    if not text:
        return FREE
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanLimitsUnreadable("X-Plan-Limits is not JSON.") from error
    if not isinstance(members, dict):
        raise PlanLimitsUnreadable("X-Plan-Limits is not a JSON object.")
    return PlanLimits(
        max_deployments=_whole(members, "max_deployments", FREE.max_deployments),
        max_cpu_cores=_amount(members, "max_cpu_cores", FREE.max_cpu_cores),
        max_memory_mb=_whole(members, "max_memory_mb", FREE.max_memory_mb),
        max_disk_mb=_whole(members, "max_disk_mb", FREE.max_disk_mb),
        allowed_capabilities=_names(members, "allowed_capabilities"),
    )


def check_limits(limits: PlanLimits, usage: Usage, wanted: Resources) -> None:
    """Raises PlanLimitReached, for the first limit that one more deployment of this size would pass."""
    after = usage.resources + wanted
    used = usage.resources
    checks: tuple[tuple[str, float, float, float], ...] = (
        ("max_deployments", usage.deployments + 1, usage.deployments, limits.max_deployments),
        ("max_cpu_cores", after.cpu_cores, used.cpu_cores, limits.max_cpu_cores),
        ("max_memory_mb", after.memory_mb, used.memory_mb, limits.max_memory_mb),
        ("max_disk_mb", after.disk_mb, used.disk_mb, limits.max_disk_mb),
    )
    for name, would_be, in_use, maximum in checks:
        if maximum != UNLIMITED and would_be > maximum:
            raise PlanLimitReached(name, in_use, maximum)


def check_capabilities(limits: PlanLimits, required: frozenset[str]) -> None:
    """Raises PlanLimitReached when the template needs what the plan does not include."""
    if limits.allowed_capabilities and not required <= limits.allowed_capabilities:
        raise PlanLimitReached("allowed_capabilities", sorted(required), sorted(limits.allowed_capabilities))


def _amount(members: Mapping[str, object], name: str, default: float) -> float:
    value = members.get(name, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (0 <= value < math.inf or value == UNLIMITED)
    ):
        raise PlanLimitsUnreadable(f"X-Plan-Limits: {name} must be a number from 0, or -1.")
    return value


def _whole(members: Mapping[str, object], name: str, default: int) -> int:
    value = _amount(members, name, default)
    if value != int(value):
        raise PlanLimitsUnreadable(f"X-Plan-Limits: {name} must be a whole number.")
    return int(value)


def _names(members: Mapping[str, object], name: str) -> frozenset[str]:
    value = members.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise PlanLimitsUnreadable(f"X-Plan-Limits: {name} must be a list of names.")
    return frozenset(value)
