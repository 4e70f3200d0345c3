"""Route file to route table: patterns and expressions compiled, names resolved, every fault noted with its line."""

import re
from collections import Counter
from collections.abc import Mapping

from gateway.accounts.principal import PlanId
from gateway.routes.file import (
    NO_UPSTREAM,
    HeaderEdits,
    PlanModel,
    RouteFile,
    RouteFileInvalid,
    RouteModel,
    UpstreamModel,
    read_route_file,
)
from gateway.routes.route import FieldEdits, HeaderMatch, HealthCheck, Lane, Route, Upstream
from gateway.routes.table import RouteTable
from gateway.routes.yaml_lines import Place
from gateway.rules.entitlements import Plan, Plans, limits_text
from gateway.rules.expressions import Expression, ExpressionInvalid, compile_expression, compile_text
from gateway.rules.route_pattern import BadPattern, PathPattern, compile_pattern, never_matches_below
from shared.identity import is_managed
from shared.relay.director import Field, UpstreamSpec

_NOT_OURS_TO_SET = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
     b"content-length", b"host")
)  # fmt: skip


def load_table(text: str, environment: Mapping[str, str]) -> RouteTable:
    """Raises RouteFileInvalid with every fault of the file."""
    file = read_route_file(text, environment)
    return _Compiler(file).table()


class _Compiler:
    """Notes faults in the file's document as it goes; `table` refuses when there is one."""

    def __init__(self, file: RouteFile) -> None:
        self._file = file
        self._document = file.document
        self._warnings: list[str] = []
        self._upstreams = {name: _upstream(name, model) for name, model in file.upstreams.items()}

    def table(self) -> RouteTable:
        self._find_duplicates()
        plans = {PlanId(name): _plan(name, model) for name, model in self._file.plans.items()}
        default = plans.get(PlanId(self._file.default_plan or ""))
        if self._file.default_plan is not None and self._file.default_plan not in self._file.plan_names:
            self._document.fault(
                ("default_plan",), f"default_plan: there is no plan {self._file.default_plan!r}"
            )
        routes = [self._route(place, model) for place, model in self._file.routes]
        if self._document.faults or default is None:
            raise RouteFileInvalid(self._document.faults)
        return RouteTable(
            [route for route in routes if route is not None],
            Plans(plans, default),
            self._upstreams,
            self._warnings,
        )

    def _find_duplicates(self) -> None:
        times = Counter(model.name for _, model in self._file.routes)
        seen: set[str] = set()
        for place, model in self._file.routes:
            if times[model.name] > 1 and model.name in seen:
                self._document.fault((*place, "name"), f"route {model.name}: the name is already taken")
            seen.add(model.name)

    def _route(self, place: Place, model: RouteModel) -> Route | None:
        pattern = self._pattern(place, model)
        upstream = self._upstreams.get(model.upstream)
        if model.upstream not in self._file.upstream_names | {NO_UPSTREAM}:
            self._fault((*place, "upstream"), model, f"there is no upstream {model.upstream!r}")
        if model.billing and not model.auth_required:
            self._fault((*place, "billing"), model, "a billing route must have auth_required: true")
        metering = self._expression((*place, "metering_expr"), model, model.metering_expr)
        rewrite = self._expression((*place, "path_rewrite"), model, model.path_rewrite)
        headers = self._header_matches(place, model)
        request_edits = self._edits((*place, "request_headers"), model, model.request_headers)
        response_edits = self._edits((*place, "response_headers"), model, model.response_headers)
        if pattern is None or upstream is None or not model.enabled:
            return None
        return Route(
            name=model.name,
            lane=_lane(model),
            pattern=pattern,
            host=model.host.lower() if model.host else None,
            methods=frozenset(model.methods) if model.methods else None,
            headers=headers,
            priority=model.priority,
            upstream=upstream,
            rewrite=rewrite,
            request_edits=request_edits,
            response_edits=response_edits,
            metering=metering,
            admits_without_counters=model.on_counters_failure == "open",
            max_body=model.max_body,
        )

    def _pattern(self, place: Place, model: RouteModel) -> PathPattern | None:
        if never_matches_below(model.match, model.path):
            line = self._document.line((*place, "path"))
            self._warnings.append(
                f"line {line}: route {model.name}: {model.path} matches that path alone; write {model.path}* for all below it"
            )
        try:
            return compile_pattern(model.match, model.path)
        except BadPattern as error:
            self._fault((*place, "path"), model, str(error))
            return None

    def _expression(self, place: Place, model: RouteModel, text: str | None) -> Expression | None:
        if text is None:
            return None
        try:
            return compile_expression(text)
        except ExpressionInvalid as error:
            self._fault(place, model, f"{place[-1]}: {error}")
            return None

    def _header_matches(self, place: Place, model: RouteModel) -> tuple[HeaderMatch, ...]:
        matches = []
        for name, wanted in model.headers.items():
            lowered = name.lower().encode()
            if not wanted.startswith("~"):
                matches.append(HeaderMatch(lowered, wanted.encode(), None))
                continue
            try:
                matches.append(HeaderMatch(lowered, None, re.compile(wanted[1:])))
            except re.error as error:
                self._fault((*place, "headers", name), model, f"headers.{name}: does not compile: {error}")
        return tuple(matches)

    def _edits(self, place: Place, model: RouteModel, edits: HeaderEdits) -> FieldEdits:
        literal: list[Field] = []
        computed: list[tuple[bytes, Expression]] = []
        removed = {name.lower().encode() for name in edits.remove}
        for name, value in edits.set.items():
            lowered = name.lower().encode()
            removed.add(lowered)
            if is_managed(lowered) or lowered in _NOT_OURS_TO_SET:
                self._fault((*place, "set", name), model, f"{name} is the gateway's own and cannot be set")
            try:
                compiled = compile_text(value) if isinstance(value, str) else str(value)
            except ExpressionInvalid as error:
                self._fault((*place, "set", name), model, f"{place[-1]}.set.{name}: {error}")
                continue
            if isinstance(compiled, str):
                literal.append((name.encode(), compiled.encode()))
            else:
                computed.append((name.encode(), compiled))
        return FieldEdits(frozenset(removed), tuple(literal), tuple(computed))

    def _fault(self, place: Place, model: RouteModel, sentence: str) -> None:
        self._document.fault(place, f"route {model.name}: {sentence}")


def _lane(model: RouteModel) -> Lane:
    if not model.auth_required:
        return Lane.PUBLIC
    return Lane.BILLING if model.billing else Lane.AUTHENTICATED


def _plan(name: str, model: PlanModel) -> Plan:
    return Plan(
        plan_id=PlanId(name),
        requests_per_month=model.requests_per_month,
        rate_per_minute=model.rate_per_minute,
        # Without a burst requests are still let in one at a time, at the rate.
        burst=max(model.burst, 1),
        limits_text=limits_text(model.limits.model_dump()),
    )


def _upstream(name: str, model: UpstreamModel) -> Upstream:
    spec = UpstreamSpec(
        name=name,
        targets=tuple(model.targets),
        connect_timeout=model.connect_timeout,
        response_timeout=model.response_timeout,
        idle_timeout=model.idle_timeout,
    )
    health = HealthCheck(model.health.path, model.health.interval) if model.health else None
    return Upstream(spec, health, model.reconcile)
