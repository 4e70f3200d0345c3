"""What the director decides: lanes, credentials, what goes upstream, and the answers of its own."""

import inspect
import json
from collections.abc import Sequence

import pytest

from gateway.accounts.key_format import new_key
from shared.identity import Identity, SignedRequest, verify
from shared.relay.director import Ending, FaultKind, Field, Forward, Outcome, Respond, ResponseHead
from tests.unit.gateway_data.conftest import (
    EXPIRED_TOKEN,
    SECRET,
    SUSPENDED_TOKEN,
    TOKEN,
    WAITING_TOKEN,
    Bench,
    MakeBench,
    MakeHead,
)

MANAGED = [
    "X-User-ID",
    "X-Org-ID",
    "X-Plan-ID",
    "X-Plan-Limits",
    "X-Key-ID",
    "X-Identity-Signature",
    "X-Request-ID",
]


def named(fields: Sequence[Field], name: str) -> list[str]:
    return [value.decode() for found, value in fields if found.lower() == name.lower().encode()]


def code(decision: Respond) -> str:
    return json.loads(decision.body)["code"]


async def test_a_public_route_never_reads_a_credential_and_strips_all(bench: Bench, head: MakeHead) -> None:
    fields = [
        (b"Authorization", b"Bearer not-a-token"),
        (b"X-API-Key", b"nonsense"),
        (b"x_api_key", b"nonsense"),
        (b"Cookie", b"a=b"),
    ]

    forward = bench.direct(head("/page?api_key=secret&q=1", fields))

    assert isinstance(forward, Forward)
    assert forward.target == "/page?q=1"
    assert named(forward.fields, "cookie") == ["a=b"]
    assert [name for name in ("authorization", "x-api-key", "x_api_key") if named(forward.fields, name)] == []
    assert [name for name in MANAGED if named(forward.fields, name)] == ["X-Request-ID"]


SPELLINGS = [
    spell(name)
    for name in MANAGED
    for spell in (
        str,
        str.lower,
        str.upper,
        lambda n: n.replace("-", "_"),
        lambda n: n.replace("-", "."),
        lambda n: n.replace("-", "_", 1).swapcase(),
    )
]


@pytest.mark.parametrize("path", ["/page", "/api/x", "/bill", "/mod/auth/me"])
async def test_no_spelling_of_a_managed_name_goes_upstream(bench: Bench, head: MakeHead, path: str) -> None:
    spoofed = [(name.encode(), b"spoofed") for name in SPELLINGS]

    forward = await bench.forward(head(path, spoofed, token=TOKEN, method="POST"))

    left = [(name, value) for name, value in forward.fields if value == b"spoofed"]
    assert left in ([], [(b"X-Client-Request-ID", b"spoofed")])
    folded = [name.decode().lower().replace("_", "-").replace(".", "-") for name, _ in forward.fields]
    assert all(folded.count(name.lower()) <= 1 for name in MANAGED)


async def test_the_identity_is_signed_over_the_target_as_sent(bench: Bench, head: MakeHead) -> None:
    request = head("/old/7?b=%2F&api_key=" + "&x", token=TOKEN)

    forward = await bench.forward(request)

    assert forward.target == "/new/7?b=%2F&x"
    identity = Identity(
        user_id="user_1",
        org_id="org_1",
        plan_id="free",
        plan_limits='{"max_deployments":1,"max_cpu_cores":1,"max_memory_mb":1024,"max_disk_mb":5120,"allowed_capabilities":["gpu"]}',
        key_id="session_1",
    )
    assert named(forward.fields, "x-plan-limits") == [identity.plan_limits]
    (signature,) = named(forward.fields, "x-identity-signature")
    stamp = int(signature[2:].split(",")[0])
    verify(SECRET, signature, identity, SignedRequest("GET", forward.target, request.request_id), stamp)


async def test_a_route_edits_its_fields_in_both_directions(bench: Bench, head: MakeHead) -> None:
    forward = await bench.forward(head("/old/7", [(b"X-Unwanted", b"1"), (b"x-who", b"me")], token=TOKEN))

    assert named(forward.fields, "x-who") == ["user_1"]
    assert named(forward.fields, "x-static") == ["no-store"]
    assert named(forward.fields, "x-unwanted") == []
    back = forward.exchange.response_fields(
        ResponseHead(201, [(b"Server", b"x"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")])
    )
    assert list(back) == [(b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"), (b"X-Status", b"201")]


async def test_the_clients_own_request_id_goes_on_under_another_name(bench: Bench, head: MakeHead) -> None:
    request = head("/", [(b"x-request-id", b"mine")])

    forward = await bench.forward(request)

    assert named(forward.fields, "x-request-id") == [request.request_id]
    assert named(forward.fields, "x-client-request-id") == ["mine"]


@pytest.mark.parametrize(
    ("trusted", "peer", "sent"),
    [
        ("", "192.0.2.7", ["192.0.2.7", "http", "gate.example:8082"]),
        ("10.0.0.0/8", "192.0.2.7", ["192.0.2.7", "http", "gate.example:8082"]),
        ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6, 203.0.113.9, 10.1.1.1", "https", "shop.example"]),
        ("10.0.0.0/8", "::ffff:10.1.1.1", ["6.6.6.6, 203.0.113.9, ::ffff:10.1.1.1", "https", "shop.example"]),
    ],
)
async def test_what_is_said_about_the_way_here_is_believed_from_trusted_proxies_only(
    make_bench: MakeBench, head: MakeHead, trusted: str, peer: str, sent: list[str]
) -> None:
    fields = [
        (b"X-Forwarded-For", b"6.6.6.6, 203.0.113.9"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"shop.example"),
        (b"X_Forwarded_For", b"1.1.1.1"),
        (b"Via", b"1.1 before"),
    ]
    if trusted and "10.1" in peer:
        del fields[3]

    forward = await (await make_bench(trusted)).forward(head("/", fields, peer=peer))

    assert [
        named(forward.fields, name)[0]
        for name in ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
    ] == sent
    assert named(forward.fields, "x_forwarded_for") == []
    assert named(forward.fields, "via") == ["1.1 before", "1.1 apigate"]


@pytest.mark.parametrize(
    ("trusted", "given", "last"),
    [
        ("", [], "192.0.2.7"),
        ("", [b"127.0.0.1"], "192.0.2.7"),
        ("192.0.2.0/24", [b"6.6.6.6, 203.0.113.9, 192.0.2.8"], "203.0.113.9"),
        ("192.0.2.0/24", [b"nonsense"], "192.0.2.7"),
    ],
)
async def test_the_control_app_gets_credentials_and_an_address_that_cannot_be_forged(
    make_bench: MakeBench, head: MakeHead, trusted: str, given: list[bytes], last: str
) -> None:
    fields = [(b"X-Forwarded-For", value) for value in given] + [(b"X-User-ID", b"me")]

    forward = await (await make_bench(trusted)).forward(head("/mod/auth/me?api_key=k", fields, token=TOKEN))

    assert forward.upstream.name == "control"
    assert forward.max_body == 64 * 1024
    assert forward.target == "/mod/auth/me?api_key=k"
    assert named(forward.fields, "authorization") == [f"Bearer {TOKEN}"]
    assert named(forward.fields, "x-user-id") == []
    assert named(forward.fields, "x-forwarded-for")[0].split(", ")[-1] == last


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/stats",
        "/metrics",
        "/mod/x",
        "/.well-known/jwks.json",
        "/a/../health",
        "//health",
        "/%68ealth",
    ],
)
async def test_the_gateways_own_paths_come_before_the_table(bench: Bench, head: MakeHead, path: str) -> None:
    assert (await bench.forward(head(path))).upstream.name == "control"


@pytest.mark.parametrize("path", ["/health/", "/mod", "/moda", "/healthy", "/.well-known/jwks.json/x"])
async def test_other_paths_are_the_tables(bench: Bench, head: MakeHead, path: str) -> None:
    assert (await bench.forward(head(path))).upstream.name == "hoster"


KEY = new_key()


@pytest.mark.parametrize(
    ("target", "fields", "token", "status", "wanted"),
    [
        ("/api/x", [], None, 401, "missing_credentials"),
        ("/api/x", [(b"Authorization", b"Basic YTpi")], None, 401, "missing_credentials"),
        ("/api/x", [], "nonsense", 401, "invalid_token"),
        ("/api/x", [], "a.b.c" + "x" * 9000, 401, "invalid_token"),
        ("/api/x", [], "other.b.c", 401, "invalid_token"),
        ("/api/x", [], EXPIRED_TOKEN, 401, "token_expired"),
        ("/api/x", [], "ak_short", 401, "invalid_api_key"),
        ("/api/x", [(b"X-API-Key", b"aaa.bbb.ccc")], None, 401, "invalid_api_key"),
        ("/api/x", [(b"X-API-Key", KEY[:-1].encode() + b"!")], None, 401, "invalid_api_key"),
        ("/api/x", [(b"X-API-Key", KEY.encode())], TOKEN, 400, "conflicting_credentials"),
        ("/api/x?api_key={key}", [], TOKEN, 400, "conflicting_credentials"),
        ("/api/x", [(b"Authorization", b"Bearer other.b.c")], TOKEN, 400, "conflicting_credentials"),
        ("/api/x", [], SUSPENDED_TOKEN, 403, "user_suspended"),
        ("/api/%2f", [], TOKEN, 400, "bad_path"),
        ("/broken", [], None, 500, "rewrite_failed"),
    ],
)
async def test_a_refusal_has_its_status_and_code(
    bench: Bench,
    head: MakeHead,
    target: str,
    fields: Sequence[Field],
    token: str | None,
    status: int,
    wanted: str,
) -> None:
    refusal = await bench.refusal(head(target.format(key=KEY), fields, token=token))

    assert (refusal.status, code(refusal)) == (status, wanted)
    assert (status == 401) == bool(named(refusal.fields, "www-authenticate"))
    assert bench.traffic.refusals[wanted] == 1
    assert bench.traffic.in_flight == 0


async def test_the_same_credential_given_twice_is_one(bench: Bench, head: MakeHead) -> None:
    fields = [(b"X-API-Key", KEY.encode()), (b"Authorization", b"bearer " + KEY.encode())]

    assert isinstance(bench.direct(head(f"/api/x?api_key={KEY}", fields)), Forward)


async def test_what_needs_no_waiting_is_decided_at_once(bench: Bench, head: MakeHead) -> None:
    assert isinstance(bench.direct(head("/page")), Forward)
    assert isinstance(bench.direct(head("/api/x", token=TOKEN)), Forward)
    assert isinstance(bench.direct(head("/bill", token=TOKEN)), Forward)
    waiting = bench.direct(head("/api/x", token=WAITING_TOKEN))
    assert inspect.isawaitable(waiting)
    assert isinstance(await waiting, Forward)


def outcome(status: int, *, reached: bool = True) -> Outcome:
    return Outcome(status, Ending.COMPLETE, reached, 3, 5, 12.5)


class NeverCut:
    def cut(self) -> None:
        raise AssertionError("nobody is to cut this")


async def test_only_answers_that_a_credential_let_in_and_nobody_pays_for_are_watched_and_to_their_end(
    bench: Bench, head: MakeHead
) -> None:
    watched = {}
    for path in ("/page", "/bill", "/mod/usage", "/api/x"):
        forward = await bench.forward(head(path, token=TOKEN))
        forward.exchange.response_fields(ResponseHead(200, []))
        forward.exchange.goes_on(NeverCut())
        watched[path] = len(bench.ongoing_answers)
        forward.exchange.finished(outcome(200))

    assert watched == {"/page": 0, "/bill": 0, "/mod/usage": 0, "/api/x": 1}
    assert len(bench.ongoing_answers) == 0


async def test_a_quota_of_three_admits_three(bench: Bench, head: MakeHead) -> None:
    for _ in range(3):
        forward = await bench.forward(head("/bill", token=TOKEN))
        forward.exchange.response_fields(ResponseHead(200, []))
        forward.exchange.finished(outcome(200))

    refusal = await bench.refusal(head("/bill", token=TOKEN))

    assert (refusal.status, code(refusal)) == (402, "quota_exceeded")
    assert named(refusal.fields, "x-quota-used") == ["3"]
    assert int(named(refusal.fields, "retry-after")[0]) > 0
    assert bench.journal.written == 3


@pytest.mark.parametrize(("end", "events"), [(outcome(500), 5), (outcome(502, reached=False), 0)])
async def test_a_failure_gives_its_unit_back(bench: Bench, head: MakeHead, end: Outcome, events: int) -> None:
    for _ in range(5):
        forward = await bench.forward(head("/bill", token=TOKEN))
        if end.reached_upstream:
            forward.exchange.response_fields(ResponseHead(end.status, []))
        forward.exchange.finished(end)

    last = await bench.forward(head("/bill", token=TOKEN))

    assert dict(last.exchange.fault_fields())[b"X-Quota-Used"] == b"1"
    assert bench.journal.written == events


async def test_an_end_that_nobody_saw_is_asked_about(bench: Bench, head: MakeHead) -> None:
    request = head("/bill", token=TOKEN)
    forward = await bench.forward(request)

    forward.exchange.finished(outcome(504))

    ((intent, seen),) = bench.inquiries
    assert intent.id == request.request_id
    assert seen is not None
    assert (seen.status, seen.cost) == (504, 0.0)
    assert bench.journal.open_intents() == [intent]


async def test_quota_and_rate_are_told_with_every_billed_answer(bench: Bench, head: MakeHead) -> None:
    forward = await bench.forward(head("/bill", token=TOKEN))

    fields = forward.exchange.response_fields(ResponseHead(200, [(b"Content-Type", b"text/plain")]))

    names = [name.decode() for name, _ in fields]
    assert names == [
        "Content-Type",
        *(f"X-Quota-{part}" for part in ("Limit", "Used", "Remaining", "Reset")),
        *(f"X-RateLimit-{part}" for part in ("Limit", "Remaining", "Reset")),
    ]


async def test_a_fault_of_the_relay_is_a_problem_that_closes_when_it_must(make_bench: MakeBench) -> None:
    director = (await make_bench()).director

    bad = director.fault(FaultKind.BAD_REQUEST, 400, "Two lengths.", "id-1")
    late = director.fault(FaultKind.UPSTREAM_TIMEOUT, 504, "No answer in time.", "id-2")

    assert json.loads(bad.body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "Two lengths.",
        "code": "bad_request",
        "request_id": "id-1",
    }
    assert (bad.close, late.close, code(late)) == (True, False, "upstream_timeout")
