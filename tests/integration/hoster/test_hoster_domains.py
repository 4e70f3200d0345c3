"""Domains, proved by a real DNS server and brought to a node that may be away."""

from typing import Any

import aiohttp

from tests.fakes.hoster_worker import FakeWorker
from tests.integration.hoster.conftest import User, eventually
from tests.servers.dns_zone import DnsZone

DEPLOYMENTS = "/api/v1/deployments"
NAME = "www.example.com"


async def _deploy(user: User, hello_id: str, *, until: str = "running") -> str:
    made = await user.ask("POST", DEPLOYMENTS, {"name": "site", "template_id": hello_id})
    assert made.status == 202, made.body
    await user.until(made.body["id"], until)
    return f"{DEPLOYMENTS}/{made.body['id']}"


async def _claimed(user: User, at: str, name: str = NAME) -> dict[str, Any]:
    answer = await user.ask("POST", f"{at}/domains", {"hostname": name})
    assert answer.status == 201, answer.body
    return answer.body


async def _is_routed(worker: FakeWorker, *names: str) -> None:
    async def routed() -> bool:
        return {name for project in worker.projects.values() for name in project.domains} == set(names)

    await eventually(routed, 40)


async def test_a_domain_is_claimed_proved_and_routed_and_can_be_given_up(
    user: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    at = await _deploy(user, hello_id)
    claim = await _claimed(user, at, "WWW.Example.com.")
    host = (await user.ask("GET", at)).body["hosts"][0]
    assert (claim["hostname"], claim["status"], claim["verified_at"]) == (NAME, "pending", None)
    txt, cname = claim["records"]
    assert (txt["type"], txt["name"]) == ("TXT", f"_hoster-challenge.{NAME}")
    assert cname == {"type": "CNAME", "name": NAME, "value": host}

    early = await user.ask("POST", f"{at}/domains/{NAME}/verify")
    assert (early.status, early.body["code"]) == (409, "domain_unverified")
    assert (early.body["records"], early.body["found"]) == (claim["records"], [])
    dns_zone.publish(txt)
    proved = await user.ask("POST", f"{at}/domains/{NAME}/verify")
    assert proved.status == 200, proved.body
    assert (proved.body["method"], proved.body["status"]) in {("txt", "verified"), ("txt", "active")}
    await _is_routed(worker, NAME)
    assert NAME in (await user.ask("GET", at)).body["hosts"]

    async def is_active() -> bool:
        listed = (await user.ask("GET", f"{at}/domains")).body
        return [item["status"] for item in listed["items"]] == ["active"]

    await eventually(is_active, 40)

    assert (await user.ask("DELETE", f"{at}/domains/{NAME}")).status == 204
    await _is_routed(worker)
    assert NAME not in (await user.ask("GET", at)).body["hosts"]
    assert (await user.ask("DELETE", f"{at}/domains/{NAME}")).status == 404


async def test_a_cname_to_the_app_is_proof_too_and_another_one_is_not(
    user: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    at = await _deploy(user, hello_id)
    claim = await _claimed(user, at)
    dns_zone.publish({"type": "CNAME", "name": NAME, "value": "elsewhere.example.org"})
    wrong = await user.ask("POST", f"{at}/domains/{NAME}/verify")
    assert (wrong.status, wrong.body["found"]) == (409, ["elsewhere.example.org"])
    dns_zone.records.clear()
    dns_zone.publish(claim["records"][1])

    proved = await user.ask("POST", f"{at}/domains/{NAME}/verify")
    assert (proved.status, proved.body["method"]) == (200, "cname")


async def test_one_deployment_holds_a_name_and_proof_takes_it_from_who_has_none(
    user: User, stranger: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    squatted, rightful = await _deploy(stranger, hello_id), await _deploy(user, hello_id)
    await _claimed(stranger, squatted)
    refused = await user.ask("POST", f"{rightful}/domains", {"hostname": NAME})
    assert (refused.status, refused.body["code"]) == (409, "hostname_taken")
    dns_zone.publish(refused.body["records"][0])

    taken = await _claimed(user, rightful)
    assert taken["status"] in {"verified", "active"}
    await _is_routed(worker, NAME)
    assert (await stranger.ask("GET", f"{squatted}/domains")).body["total"] == 0
    assert (await stranger.ask("POST", f"{squatted}/domains/{NAME}/verify")).status == 404
    again = await stranger.ask("POST", f"{squatted}/domains", {"hostname": NAME})
    assert (again.status, again.body["code"]) == (409, "hostname_taken")


async def test_a_deleted_deployment_holds_no_name(
    user: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    first, second = await _deploy(user, hello_id), await _deploy(user, hello_id)
    claim = await _claimed(user, first)
    dns_zone.publish(claim["records"][0])
    await user.ask("POST", f"{first}/domains/{NAME}/verify")
    await user.ask("DELETE", first)
    await user.until_gone(first.rsplit("/", 1)[1])

    assert (await _claimed(user, second))["status"] == "pending"


async def test_a_node_that_was_away_or_lost_everything_gets_the_domains_again(
    user: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    at = await _deploy(user, hello_id)
    dns_zone.publish((await _claimed(user, at))["records"][0])
    dns_zone.publish((await _claimed(user, at, "shop.example.com"))["records"][0])
    await user.ask("POST", f"{at}/domains/{NAME}/verify")
    await _is_routed(worker, NAME)
    await worker.stop()
    assert (await user.ask("POST", f"{at}/domains/shop.example.com/verify")).body["status"] == "verified"
    assert (await user.ask("DELETE", f"{at}/domains/{NAME}")).status == 204
    await worker.start()
    await _is_routed(worker, "shop.example.com")

    worker.projects.clear()
    await _is_routed(worker, "shop.example.com")


async def test_a_name_that_no_customer_may_have_is_refused(
    user: User, worker: FakeWorker, hello_id: str
) -> None:
    at = await _deploy(user, hello_id)
    for name in ("*.example.com", "x.apps.localhost", "apps.localhost", "a.zexio.internal", "192.0.2.1", ""):
        answer = await user.ask("POST", f"{at}/domains", {"hostname": name})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "hostname"), name


async def test_a_dns_that_does_not_answer_is_said_and_proves_nothing(
    user: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    at = await _deploy(user, hello_id)
    dns_zone.publish((await _claimed(user, at))["records"][0])
    dns_zone.broken = True

    answer = await user.ask("POST", f"{at}/domains/{NAME}/verify")
    assert (answer.status, answer.body["code"]) == (503, "dns_unavailable")
    assert (await user.ask("GET", f"{at}/domains")).body["items"][0]["status"] == "pending"


async def test_a_claim_is_neither_refused_nor_granted_while_the_dns_does_not_answer_and_its_key_is_free_afterwards(
    user: User, stranger: User, worker: FakeWorker, hello_id: str, dns_zone: DnsZone
) -> None:
    squatted, rightful = await _deploy(stranger, hello_id), await _deploy(user, hello_id)
    await _claimed(stranger, squatted)

    async def claim(request_id: str) -> Any:
        target = f"{rightful}/domains"
        headers = {**user.headers("POST", target, request_id), "Idempotency-Key": "k"}
        return await user.ask("POST", target, {"hostname": NAME}, headers=headers)

    dns_zone.broken = True
    unknown = await claim("first")
    assert (unknown.status, unknown.body["code"]) == (503, "dns_unavailable")
    dns_zone.broken = False
    refused = await claim("second")
    assert (refused.status, refused.body["code"]) == (409, "hostname_taken")
    dns_zone.publish(refused.body["records"][0])
    assert (await claim("third")).status == 201
    assert (await stranger.ask("GET", f"{squatted}/domains")).body["total"] == 0


async def test_a_strangers_domains_do_not_exist(
    user: User, stranger: User, worker: FakeWorker, hello_id: str, session: aiohttp.ClientSession
) -> None:
    at = await _deploy(user, hello_id)
    await _claimed(user, at)
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{NAME}"), ("POST", f"/{NAME}/verify")):
        answer = await stranger.ask(
            method, f"{at}/domains{path}", {"hostname": NAME} if method == "POST" else None
        )
        assert (answer.status, answer.body["code"]) == (404, "deployment_not_found")
