"""What people do with the console, against the platform as `make run` brings it up, with real containers."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.console.cuttable_line import cuttable_line
from tests.e2e.console.operator_commands import Operator
from tests.e2e.console.person import Person
from tests.e2e.console.settled import settled
from tests.e2e.platform_process import PlatformProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NewContext = Callable[..., BrowserContext]


def test_from_sign_up_to_a_running_app_and_its_end(page: Page) -> None:
    person = Person(page).sign_up()
    expect(page.get_by_text("Nothing is deployed yet")).to_be_visible()
    person.deploy_hello("Made in a browser <b>&")

    steps = page.locator(".timeline .step")
    expect(steps.filter(has_text="Check its health")).to_be_visible()
    expect(page.locator(".log-message").filter(has_text="serving on port")).to_be_visible()

    address = page.locator(".deployment-facts a").get_attribute("href")
    visited = page.context.new_page()
    visited.goto(str(address))
    expect(visited.locator("h1")).to_have_text("Made in a browser <b>&")
    visited.close()

    page.get_by_role("link", name="Metrics").click()
    expect(page.locator(".graph-now").nth(1)).to_contain_text("of 64 MB")
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_role("cell", name="deployment running")).to_be_visible()

    page.get_by_role("button", name="Stop").click()
    person.sees_state("stopped")
    page.get_by_role("button", name="Start", exact=True).click()
    person.sees_state("running")
    person.delete_it()
    expect(page.get_by_text("Nothing is deployed yet")).to_be_visible()

    page.get_by_role("link", name="Usage and billing").click()
    expect(page.get_by_role("meter", name="Operations")).to_have_attribute("aria-valuenow", "4")


def test_a_deploy_that_fails_says_why_and_where(page: Page) -> None:
    person = Person(page).sign_up()
    never_healthy = {
        "name": "Never healthy",
        "description": "Its health is asked for where there is nothing.",
        "category": "examples",
        "version": "1.0.0",
        "compose": "services: {web: {image: 'localhost/hello:1', expose: ['8080'], x-web: true,"
        " healthcheck: {x-path: /nowhere, x-deadline: 10s}}}",
        "resources": {"cpu_cores": 0.25, "memory_mb": 64, "disk_mb": 64},
    }
    made = person.call("POST", "/api/v1/templates", never_healthy)
    assert made.status == 201, made.text()
    page.goto(f"/templates/{made.json()['id']}")
    page.get_by_role("button", name="Deploy").click()
    person.sees_state("failed")

    expect(page.locator(".deployment-facts .notice")).to_be_visible()
    expect(page.locator(".step.is-failed")).to_contain_text("Check its health")
    # Not the first: it may have come before the app listened.
    expect(page.locator(".attempts li").last).to_contain_text("404")
    expect(page.locator("details pre")).to_contain_text("response:404")
    person.delete_it()


def test_going_back_to_an_earlier_release(page: Page) -> None:
    person = Person(page).sign_up()
    at = person.deploy_hello("first message")
    page.get_by_role("link", name="Variables").click()
    page.get_by_label("Message").fill("second message")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved, not yet in force")).to_be_visible()
    page.get_by_role("button", name="Redeploy now").click()
    expect(page.get_by_text("Saved, not yet in force")).to_be_hidden(timeout=90_000)

    page.get_by_role("link", name="Releases").click()
    expect(page.locator(".release")).to_have_count(2)
    expect(page.locator(".release").first).to_contain_text("first message → second message")
    page.get_by_role("button", name="Roll back to this").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.locator(".release")).to_have_count(3)
    # A release is listed as soon as it is begun, and in force when it serves.
    expect(page.locator(".release").first.locator(".badge")).to_contain_text("active", timeout=90_000)
    person.sees_state("running")

    page.goto(f"{at}/variables")
    expect(page.get_by_label("Message")).to_have_value("first message")
    page.goto(at)
    visited = page.context.new_page()
    visited.goto(str(page.locator(".deployment-facts a").get_attribute("href")))
    expect(visited.locator("h1")).to_have_text("first message")
    visited.close()
    person.delete_it()


def test_the_log_goes_on_after_its_connection_was_lost_and_repeats_nothing(
    new_context: NewContext, console_platform: PlatformProcess
) -> None:
    with cuttable_line(console_platform.ports["GATEWAY_PORT"]) as line:
        page = new_context(line.url).new_page()
        person = Person(page).sign_up()
        person.deploy_hello()
        page.get_by_role("link", name="Logs").click()
        lines = page.locator(".log-message")
        expect(lines.filter(has_text="serving on port")).to_have_count(1)
        seen_ids: list[str | None] = []
        page.on("request", lambda request: _note(request.url, request.headers, seen_ids))

        line.cut()
        expect(page.locator(".stream-light")).to_have_text("Reconnecting")
        line.mend()
        expect(page.locator(".stream-light")).to_have_text("Live")
        visited = page.context.new_page()
        visited.goto(str(page.locator(".deployment-facts a").get_attribute("href")))
        visited.close()

        expect(lines.filter(has_text="response:200").last).to_be_visible()
        expect(lines.filter(has_text="serving on port")).to_have_count(1)
        assert any(seen_ids), "it did not say which line it had seen last"
        the_log_is_searched_and_saved(page)
        person.delete_it()


def the_log_is_searched_and_saved(page: Page) -> None:
    search = page.get_by_role("searchbox", name="Search in the log")
    search.fill("SERVING")
    expect(page.locator(".log-found")).to_contain_text("1 found")
    search.press("Enter")
    expect(page.locator(".log-row.is-current")).to_contain_text("serving on port")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert "serving on port" in saved.value.path().read_text(encoding="utf-8")


def _note(url: str, headers: dict[str, str], seen_ids: list[str | None]) -> None:
    if "/monitoring/stream" in url:
        seen_ids.append(headers.get("last-event-id"))


def test_a_used_up_quota_says_when_it_is_full_again_and_what_to_do(page: Page, operator: Operator) -> None:
    person = Person(page).sign_up()
    operator.set_plan(person, "tiny")
    person.deploy_hello()
    page.get_by_role("button", name="Stop").click()
    person.sees_state("stopped")

    page.get_by_role("button", name="Start", exact=True).click()
    notice = page.locator(".actions-problem").get_by_role("alert")
    expect(notice).to_contain_text("Your monthly quota of deployment operations is used up.")
    expect(notice).to_contain_text(re.compile(r"full again on .*20\d\d"))
    notice.get_by_role("link", name="See your usage and the plans").click()
    expect(page.get_by_role("meter", name="Operations")).to_have_attribute("aria-valuenow", "2")
    expect(page.locator(".card.is-chosen")).to_contain_text("tiny")

    operator.set_plan(person, "starter")
    page.goto("/deployments")
    page.get_by_role("link", name="hello", exact=True).click()
    person.delete_it()


def test_a_plan_that_is_full_is_said_before_and_after_trying(page: Page) -> None:
    person = Person(page).sign_up()
    hello = person.call("GET", "/api/v1/templates?q=hello").json()["items"][0]["id"]
    # What is created without being started takes its place in the plan, and no container.
    person.made("/api/v1/deployments", {"name": "first", "template_id": hello, "start": False})
    person.fill_in_hello("second")
    expect(page.get_by_text("Your plan has no room for it: deployments")).to_be_visible()
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "Your plan's limit for deployments is 1, and you use 1."
    )


def test_two_tabs_see_the_same_and_leave_together(page: Page) -> None:
    person = Person(page).sign_up()
    at = person.deploy_hello()
    other = page.context.new_page()
    other.goto(at)
    expect(other.locator(".deployment-facts .badge")).to_contain_text("running")

    page.get_by_role("button", name="Stop").click()
    person.sees_state("stopped")
    other.bring_to_front()
    expect(other.locator(".deployment-facts .badge")).to_contain_text("stopped")

    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    person.sign_in()
    person.sees_state("stopped")
    expect(other.get_by_role("heading", name="hello")).to_be_visible()
    person.delete_it()


def test_a_session_that_has_ended_leads_to_sign_in_and_then_back(page: Page) -> None:
    person = Person(page).sign_up()
    page.goto("/usage")
    # All that the page asks is answered, so that none of it meets the end of the session.
    expect(page.get_by_role("meter", name="Operations")).to_be_visible()
    settled(page)
    page.wait_for_load_state("networkidle")
    assert person.call("POST", "/mod/auth/logout").status == 204

    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("localStorage.getItem('console.session')") is None
    person.sign_in()
    expect(page.get_by_role("heading", name="Usage and billing")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()


def test_a_platform_that_does_not_answer_is_said_and_tried_again_on_demand(page: Page) -> None:
    Person(page).sign_up()

    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    page.route("**/api/v1/nodes*", refuse)
    page.get_by_role("link", name="Nodes").click()
    expect(page.get_by_role("alert")).to_contain_text("The platform cannot be reached.")
    page.unroute("**/api/v1/nodes*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".card .badge").first).to_contain_text("online")


def test_deployments_are_searched_and_narrowed_by_their_state(page: Page, operator: Operator) -> None:
    person = Person(page).sign_up()
    operator.set_plan(person, "starter")
    hello = person.call("GET", "/api/v1/templates?q=hello").json()["items"][0]["id"]
    for name in ("shop", "blog", "blog of mine"):
        person.made("/api/v1/deployments", {"name": name, "template_id": hello, "start": False})
    page.goto("/deployments")
    rows = page.locator(".deployment-row h2")
    expect(rows).to_have_text(["blog of mine", "blog", "shop"])
    page.get_by_role("searchbox", name="Search deployments").fill("BLOG")
    expect(rows).to_have_text(["blog of mine", "blog"])

    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="blog of mine")).to_be_visible()
    page.go_back()
    expect(rows).to_have_text(["blog of mine", "blog"])
    page.get_by_role("searchbox", name="Search deployments").fill("wiki")
    page.get_by_role("link", name="see all of them").click()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="pending").click()
    expect(rows).to_have_count(3)
    expect(page.get_by_role("button", name="pending")).to_have_attribute("aria-pressed", "true")

    # Created without being started, it is started from its page.
    rows.last.get_by_role("link").click()
    page.get_by_role("button", name="Start", exact=True).click()
    person.sees_state("running")
    person.delete_it()


def test_nothing_is_asked_while_nothing_happens(furnished_page: Page) -> None:
    page = furnished_page
    page.goto("/deployments")
    expect(page.locator(".deployment-row .badge")).to_contain_text("running")
    expect(page.locator(".whoami")).to_contain_text("@")
    settled(page)
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4000)
    assert asked == []


def test_an_administrator_changes_a_plan_and_suspends_an_account(
    new_context: NewContext, operator: Operator
) -> None:
    customer = Person(new_context().new_page()).sign_up()
    admin = Person(new_context().new_page()).sign_up()
    operator.promote(admin)
    admin.page.reload()
    admin.page.get_by_role("link", name="Users").click()

    admin.page.get_by_label(f"Plan of {customer.email}").select_option("starter")
    customer.until_answered("/api/v1/me", lambda answer: bool(answer.json()["plan_id"] == "starter"))
    customer.page.goto("/usage")
    expect(customer.page.locator(".card.is-chosen")).to_contain_text("starter")

    admin.page.get_by_role("button", name=f"Suspend {customer.email}").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Suspend", exact=True).click()
    expect(admin.page.get_by_role("button", name=f"Activate {customer.email}")).to_be_visible()
    customer.until_answered("/api/v1/me", lambda answer: answer.status == 403)
    customer.page.goto("/deployments")
    expect(customer.page.get_by_role("alert")).to_contain_text("This account is suspended.")


def test_keys_and_nodes_show_their_secrets_once(page: Page) -> None:
    person = Person(page).sign_up()
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("button", name="Create a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("ci")
    page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    key = page.get_by_role("dialog").locator("code").inner_text()
    assert page.request.get("/api/v1/me", headers={"X-API-Key": key}).status == 200
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("cell", name="ci", exact=True)).to_be_visible()
    expect(page.get_by_text(key)).to_have_count(0)

    page.get_by_role("link", name="Nodes").click()
    page.get_by_role("button", name="Add a node").click()
    page.get_by_role("dialog").get_by_label("Name").fill("attic")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog").locator("code")).to_contain_text("python -m worker join --hoster")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Remove attic").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("attic")).to_have_count(0)
    assert person.call("GET", "/api/v1/nodes").json()["total"] == 1
