"""Routes of the firewall: parse, call, respond."""

import re
from ipaddress import ip_network
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, field_validator

from shared.clock import rfc3339
from shared.problem import FieldFault
from worker.firewall.firewall import Firewall, Standing, Wish
from worker.firewall.policy import Grant, Policy, Protocol, Rule, TenantPort
from worker.projects.model import checked_project_id
from worker.projects.store import ProjectStore
from worker.requests import Body, RequestInvalid, members_of, parse_body

_ORG_ID = re.compile(r"[\x21-\x7e]{1,256}")

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
OrgIds = Annotated[list[str], Field(max_length=1000)]


class RuleBody(Body):
    port: Port
    protocol: Annotated[Protocol, Field(strict=False)] = Protocol.TCP
    sources: Annotated[list[str], Field(min_length=1, max_length=256)]

    @field_validator("sources")
    @classmethod
    def check_sources(cls, sources: list[str]) -> list[str]:
        if not all(_is_network(source) for source in sources):
            raise ValueError("must be networks such as 203.0.113.0/24 or 2001:db8::/32")
        return sources

    def rule(self) -> Rule:
        return Rule(
            port=self.port,
            protocol=self.protocol,
            sources=tuple(ip_network(source) for source in self.sources),
        )


class ConfigureBody(Body):
    """`rules: null` gives every port back to the machine; a member that is not there leaves its part as it is."""

    rules: Annotated[list[RuleBody], Field(max_length=1000)] | None = None
    allowed_tenants: Annotated[dict[str, OrgIds], Field(max_length=10_000)] | None = None
    confirm_within_s: Seconds = 60


class ShortBody(Body):
    """Which organisations' containers may reach a port of this machine."""

    port: Port
    allowed_tenants: OrgIds
    confirm_within_s: Seconds = 60


class ConfirmBody(Body):
    token: Annotated[str, Field(min_length=1, max_length=200)]


class FirewallRoutes:
    def __init__(self, firewall: Firewall, projects: ProjectStore) -> None:
        self._firewall = firewall
        self._projects = projects

    def add_to(self, app: web.Application) -> None:
        app.add_routes(
            [
                web.get("/firewall", self.show),
                web.post("/firewall/configure", self.configure),
                web.post("/firewall/confirm", self.confirm),
            ]
        )

    async def show(self, _request: web.Request) -> web.Response:
        return web.json_response(standing_json(await self._firewall.standing()))

    async def configure(self, request: web.Request) -> web.Response:
        raw = await request.read()
        wish = _short_wish(raw) if "port" in members_of(raw) else await self._wish(raw)
        armed = await self._firewall.configure(wish)
        return web.json_response(
            {"version": armed.version, "token": armed.token, "expires_at": rfc3339(armed.expires_at)}
        )

    async def confirm(self, request: web.Request) -> web.Response:
        body = parse_body(ConfirmBody, await request.read())
        confirmed = await self._firewall.confirm(body.token)
        return web.json_response({"version": confirmed.version, "status": "confirmed"})

    async def _wish(self, raw: bytes) -> Wish:
        body = parse_body(ConfigureBody, raw)
        given = body.model_fields_set
        if not given & {"rules", "allowed_tenants"}:
            raise RequestInvalid([FieldFault("body", "must have rules or allowed_tenants")])
        return Wish(
            sets_rules="rules" in given,
            rules=None if body.rules is None else tuple(rule.rule() for rule in body.rules),
            grants=None if body.allowed_tenants is None else await self._grants(body.allowed_tenants),
            window_s=body.confirm_within_s,
        )

    async def _grants(self, allowed: dict[str, list[str]]) -> tuple[Grant, ...]:
        """Raises ProjectUnknown, ProjectIdInvalid: a misspelt project must not look as if it were opened."""
        grants = []
        for project_id, orgs in sorted(allowed.items()):
            project = await self._projects.get(checked_project_id(project_id))
            grants.append(Grant(project_id, project.org_id, _org_ids(f"allowed_tenants.{project_id}", orgs)))
        return tuple(grants)


def standing_json(standing: Standing) -> dict[str, Any]:
    pending = standing.pending
    waiting = None
    if pending is not None:
        waiting = {
            "version": pending.version,
            "expires_at": rfc3339(pending.expires_at),
            **_policy_json(pending.policy),
        }
    return {
        "version": standing.confirmed.version,
        **_policy_json(standing.confirmed.policy),
        "pending": waiting,
        "enforced": standing.enforced,
        "fault": standing.fault or None,
    }


def _policy_json(policy: Policy) -> dict[str, Any]:
    members = policy.to_json()
    return {
        "rules": members["rules"],
        "allowed_tenants": {grant.project_id: list(grant.orgs) for grant in policy.grants},
        "tenant_ports": [
            {"port": opened.port, "allowed_tenants": list(opened.orgs)} for opened in policy.tenant_ports
        ],
    }


def _is_network(text: str) -> bool:
    """A zone (`fe80::%eth0`) is no part of a network, and may hold any text, which would go into the ruleset."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return "%" not in text


def _short_wish(raw: bytes) -> Wish:
    body = parse_body(ShortBody, raw)
    opened = TenantPort(body.port, _org_ids("allowed_tenants", body.allowed_tenants))
    return Wish(tenant_port=opened, window_s=body.confirm_within_s)


def _org_ids(field: str, orgs: list[str]) -> tuple[str, ...]:
    if any(_ORG_ID.fullmatch(org) is None for org in orgs):
        raise RequestInvalid([FieldFault(field, "must be ids of organisations")])
    return tuple(sorted(set(orgs)))
