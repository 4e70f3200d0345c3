"""`python -m gateway check`: is the route file valid, and what would a request get."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.errors import BadPath, RewriteFailed, RouteNotFound
from gateway.routes.current import read_table
from gateway.routes.file import RouteFileInvalid
from gateway.routes.route import Lane
from gateway.routes.table import Match, RouteTable
from gateway.rules.canonical_target import canonical_target
from gateway.rules.client_address import TrustedProxies
from gateway.rules.entitlements import Plan
from gateway.rules.reserved_paths import RESERVED, RESERVED_PREFIX
from gateway.steps.step_09_match_route import match_route
from gateway.steps.step_10_transform_request import transform_request
from gateway.steps.step_11_rewrite_path import rewrite_path
from shared.relay.director import Field, Peer, RequestHead, Target


def add_check_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser("check", help="prove a route file")
    check.add_argument("file", nargs="?", type=Path, help="default: GATEWAY_ROUTES")
    check.add_argument("--probe", nargs=2, metavar=("METHOD", "PATH"), help="show what such a request gets")
    check.add_argument("--host", default="localhost", help="the Host of the probe")
    check.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of the probe; may be repeated",
    )


def run_check_command(arguments: argparse.Namespace, default: Path, environment: Mapping[str, str]) -> int:
    """The exit code: 0, or 2 with one line for each fault."""
    path: Path = arguments.file or default
    try:
        table = read_table(path, environment)
    except RouteFileInvalid as invalid:
        for fault in invalid.faults:
            sys.stderr.write(fault.text(str(path)) + "\n")
        return 2
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 2
    for warning in table.warnings:
        sys.stderr.write(f"{path}: warning: {warning}\n")
    if arguments.probe is None:
        sys.stdout.write(f"{path}: {len(table.routes)} routes, {len(table.plans.by_id)} plans: valid\n")
    else:
        method, target = arguments.probe
        fields = [_field(text) for text in arguments.header]
        sys.stdout.write("\n".join(probe(table, method, target, arguments.host, fields)) + "\n")
    return 0


def probe(table: RouteTable, method: str, target: str, host: str, fields: Sequence[Field] = ()) -> list[str]:
    """Lines of `name: value`. A rewrite that names the user is shown for nobody."""
    head = RequestHead(
        request_id="probe",
        method=method.upper(),
        target=target,
        host=host.lower(),
        http11=True,
        fields=list(fields),
        peer=Peer("127.0.0.1", 0),
        content_length=0,
        websocket=False,
    )
    try:
        found = canonical_target(target)
        if found.path in RESERVED or found.path.startswith(RESERVED_PREFIX):
            return ["route: the gateway's own", f"path: {found.path}"]
        return _shown(table.match(head, found), table)
    except BadPath as error:
        return [f"answer: 400 bad_path ({error})"]
    except RouteNotFound:
        return ["answer: 404 route_not_found"]
    except RewriteFailed:
        return ["answer: 500 rewrite_failed"]


def _shown(match: Match, table: RouteTable) -> list[str]:
    route = match.route
    nobody = match_route(match, None)
    sent = rewrite_path(transform_request(nobody, TrustedProxies(()))).target
    lines = [
        f"route: {route.name}",
        f"lane: {route.lane.value}",
        f"priority: {route.priority}",
        f"path: {match.target.path}",
        f"upstream: {route.upstream.name} ({', '.join(_address(target) for target in route.upstream.spec.targets)})",
        f"target: {sent}",
        f"max_body: {route.max_body} bytes",
    ]
    if route.lane is Lane.BILLING:
        lines.append(f"metering: {route.metering.source if route.metering else 'status < 400 ? 1.0 : 0.0'}")
        lines.append(f"without counters: {'admitted' if route.admits_without_counters else 'refused'}")
        lines.extend(
            f"limits of {plan.plan_id}: {_quota(plan)}, {plan.rate_per_minute} a minute, burst {plan.burst}"
            for plan in table.plans.by_id.values()
        )
    return lines


def _quota(plan: Plan) -> str:
    return "unlimited" if plan.requests_per_month == -1 else f"{plan.requests_per_month} a month"


def _address(target: Target) -> str:
    return f"unix:{target.unix_path}" if target.unix_path else f"http://{target.host}:{target.port}"


def _field(text: str) -> Field:
    name, _, value = text.partition(":")
    return name.strip().encode(), value.strip().encode()
