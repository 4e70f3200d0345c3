"""The route file: every fault at once, each with its line."""

from dataclasses import replace

import pytest

from gateway.routes.compiling import load_table
from gateway.routes.file import RouteFileInvalid
from hoster.deployments.limits import parse_limits

GOOD = """version: 1
default_plan: free
plans:
  free: {requests_per_month: 10, rate_per_minute: 60, burst: 5, limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}
upstreams:
  hoster: {targets: ["${HOSTER:-http://127.0.0.1:8080}"], response_timeout: 500ms}
routes:
"""


def faults_of(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(RouteFileInvalid) as raised:
        load_table(text, environment or {})
    return [fault.text("f") for fault in raised.value.faults]


def route(text: str) -> str:
    return GOOD + "  - {name: a, path: '/*', auth_required: true, upstream: hoster}\n" + text


def test_every_fault_is_reported_with_its_line() -> None:
    text = """version: 1
default_plan: gold
plans:
  free: {requests_per_month: 10, rate_per_minute: 60, burst: -1, limits: {max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}}
upstreams:
  hoster: {targets: ["https://127.0.0.1"]}
routes:
  - name: a
    path: "("
    match: regex
    colour: red
    auth_required: false
    billing: true
    upstream: nowhere
  - name: a
    path: /x
    auth_required: true
    metering_expr: "1 +"
    path_rewrite: "nothing(path)"
    request_headers: {set: {X-User-ID: "'me'"}}
    upstream: ${UPSTREAM}
"""

    found = [fault.split(" Check that")[0].split(": ERROR")[0] for fault in faults_of(text)]
    assert found == [
        "f:2: default_plan: there is no plan 'gold'",
        "f:4: plans free: burst: Input should be greater than or equal to 0",
        "f:6: upstreams hoster: targets.0: 'https://127.0.0.1' is not a target such as http://127.0.0.1:8080 or unix:/run/app.sock",
        "f:9: route a: the regular expression does not compile: missing ), unterminated subpattern at position 0",
        "f:11: route a: unknown field 'colour'",
        "f:13: route a: a billing route must have auth_required: true",
        "f:14: route a: there is no upstream 'nowhere'",
        "f:15: route a: the name is already taken",
        "f:18: route a: metering_expr: Failed to parse expression '1 +'",
        "f:19: route a: path_rewrite: Undefined variable or function: 'nothing'.",
        "f:20: route a: X-User-ID is the gateway's own and cannot be set",
        "f:21: route a: upstream: Input should be a valid string",
        "f:21: the variable UPSTREAM is not set and has no default",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("  - {name: a, path: /b, auth_required: true, upstream: hoster}\n", "f:9: route a: the name is already taken"),
        ("  - {name: b, path: /b, auth_required: true, upstream: hoster, metering_expr: 'x + 1'}\n", "f:9: route b: metering_expr: unknown variable 'x'"),
        ("  - {name: b, path: /b, auth_required: true, upstream: hoster, path_rewrite: 'path.cut(1)'}\n", "f:9: route b: path_rewrite: Undefined variable or function"),
        ("  - {name: b, path: /b, auth_required: true, upstream: hoster, max_body: 10MB}\n", "f:9: route b: max_body: '10MB' is not a size"),
        ("  - {name: b, path: /b, auth_required: true, upstream: hoster, response_headers: {set: {X-A: 'status +'}}}\n", "f:9: route b: response_headers.set.X-A: "),
        ("  - {name: b, path: /b, auth_required: true, upstream: hoster, request_headers: {set: {x_org_id: '1'}}}\n", "f:9: route b: x_org_id is the gateway's own"),
        ("  - {name: b, path: /b, path: /c, auth_required: true, upstream: hoster}\n", "f:9: 'path' is given twice"),
        ("  - [not closed\n", "f:10: not YAML"),
    ],
)  # fmt: skip
def test_a_fault_says_where_and_what(text: str, fault: str) -> None:
    found = faults_of(route(text))

    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_name_that_could_break_a_header_is_refused() -> None:
    assert faults_of(route("").replace("  free: {", '  "a\\nb": {')) == [
        "f:2: default_plan: there is no plan 'free'",
        "f:4: plans 'a\\nb': a name has letters, digits, '_', '.' and '-', at most 64",
    ]


def test_a_plan_without_a_burst_lets_requests_in_one_at_a_time() -> None:
    table = load_table(route("").replace("burst: 5", "burst: 0"), {})

    assert table.plans.by_id["free"].burst == 1


def test_variables_come_from_the_environment() -> None:
    table = load_table(route(""), {"HOSTER": "http://10.0.0.7:99"})

    assert table.upstreams["hoster"].spec.targets[0].host == "10.0.0.7"
    assert table.upstreams["hoster"].spec.response_timeout == 0.5
    assert load_table(route(""), {}).upstreams["hoster"].spec.targets[0].port == 8080


def test_a_prefix_that_is_none_is_warned_about() -> None:
    table = load_table(route("  - {name: b, path: /api/, auth_required: true, upstream: hoster}\n"), {})

    assert table.warnings == (
        "line 9: route b: /api/ matches that path alone; write /api/* for all below it",
    )


def test_header_values_are_cel_where_they_are_and_text_where_they_are_not() -> None:
    edits = "{set: {X-A: 'user_id', X-B: 'no-store', X-C: 'max-age=60', X-D: 7}}"
    table = load_table(
        route(
            f"  - {{name: b, path: /b, priority: 1, auth_required: true, upstream: hoster, request_headers: {edits}}}\n"
        ),
        {},
    )

    compiled = table.routes[0].request_edits
    assert compiled.literal == ((b"X-B", b"no-store"), (b"X-C", b"max-age=60"), (b"X-D", b"7"))
    assert [name for name, _ in compiled.computed] == [b"X-A"]


def test_a_limit_that_a_plan_does_not_name_is_what_hoster_takes_without_one() -> None:
    some = "{max_deployments: 7, allowed_capabilities: [gpu]}"
    every = "{max_deployments: 1, max_cpu_cores: 1, max_memory_mb: 1, max_disk_mb: 1}"
    named = load_table(GOOD.replace(every, some), {}).plans.default
    unnamed = load_table(GOOD.replace(f", limits: {every}", ""), {}).plans.default

    assert parse_limits(unnamed.limits_text) == parse_limits("")
    assert parse_limits(named.limits_text) == replace(
        parse_limits(""), max_deployments=7, allowed_capabilities=frozenset({"gpu"})
    )
