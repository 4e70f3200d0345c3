"""A route as it is run: everything that can be decided at load is decided."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.rules.expressions import Expression
from gateway.rules.route_pattern import PathPattern
from shared.relay.director import Field, RequestHead, UpstreamSpec


class Lane(StrEnum):
    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    BILLING = "billing"


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """`pattern` is searched for in the value; otherwise the value must be `exact`."""

    name: bytes
    exact: bytes | None
    pattern: re.Pattern[str] | None

    def holds(self, head: RequestHead) -> bool:
        value = head.first(self.name)
        if value is None:
            return False
        if self.pattern is None:
            return value == self.exact
        return self.pattern.search(value.decode("latin-1")) is not None


@dataclass(frozen=True, slots=True)
class FieldEdits:
    """`removed` has lower-case names; a name that is set is removed first."""

    removed: frozenset[bytes]
    literal: tuple[Field, ...]
    computed: tuple[tuple[bytes, Expression], ...]

    @property
    def are_none(self) -> bool:
        return not (self.removed or self.literal or self.computed)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    path: str
    interval: float


@dataclass(frozen=True, slots=True)
class Upstream:
    """`reconcile` is a path with `{request_id}`, where the upstream says whether it performed a request."""

    spec: UpstreamSpec
    health: HealthCheck | None
    reconcile: str | None

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    name: str
    lane: Lane
    pattern: PathPattern
    host: str | None
    methods: frozenset[str] | None
    headers: tuple[HeaderMatch, ...]
    priority: int
    upstream: Upstream
    rewrite: Expression | None
    request_edits: FieldEdits
    response_edits: FieldEdits
    metering: Expression | None
    admits_without_counters: bool
    max_body: int

    def accepts(self, head: RequestHead) -> bool:
        """Everything but the path."""
        if self.methods is not None and head.method not in self.methods:
            return False
        if self.host is not None and not _is_host(self.host, head.host):
            return False
        return all(match.holds(head) for match in self.headers)


def _is_host(wanted: str, given: str) -> bool:
    host = given if given.endswith("]") else given.rsplit(":", 1)[0] if ":" in given else given
    return host.endswith(wanted[1:]) and host != wanted[1:] if wanted.startswith("*.") else host == wanted
