"""Values as the JSON that the contract names."""

import json

from gateway.accounts.user import KeyRecord, User
from gateway.api.reports import Plan
from gateway.metering.usage import QuotaUse, RateUse, UsageEvent, UsageTotal
from shared.clock import rfc3339

Json = dict[str, object]


def user_view(user: User) -> Json:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "org_id": user.org_id,
        "plan_id": user.plan_id,
        "role": user.role.value,
        "status": user.status.value,
        "created_at": rfc3339(user.created_at),
    }


def plan_view(plan: Plan) -> Json:
    return {
        "id": plan.plan_id,
        "requests_per_month": plan.requests_per_month,
        "rate_per_minute": plan.rate_per_minute,
        "burst": plan.burst,
        "limits": json.loads(plan.limits_text),
    }


def key_view(key: KeyRecord) -> Json:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "created_at": rfc3339(key.created_at),
        "last_used_at": _moment(key.last_used_at),
        "expires_at": _moment(key.expires_at),
    }


def quota_view(quota: QuotaUse) -> Json:
    return {
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining,
        "resets_at": rfc3339(quota.resets_at),
    }


def rate_view(rate: RateUse) -> Json:
    return {
        "limit": rate.limit,
        "burst": rate.burst,
        "remaining": rate.remaining,
        "resets_at": rfc3339(rate.resets_at),
    }


def total_view(total: UsageTotal) -> Json:
    return {"event_type": total.event_type, "count": total.count, "cost": total.cost}


def event_view(event: UsageEvent) -> Json:
    return {
        "id": event.id,
        "user_id": event.user_id,
        "org_id": event.org_id,
        "key_id": event.key_id,
        "plan_id": event.plan_id,
        "route": event.route,
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "event_type": event.event_type,
        "cost": event.cost,
        "latency_ms": event.latency_ms,
        "request_bytes": event.request_bytes,
        "response_bytes": event.response_bytes,
        "created_at": rfc3339(event.created_at),
    }


def _moment(unix: float | None) -> str | None:
    return None if unix is None else rfc3339(unix)
