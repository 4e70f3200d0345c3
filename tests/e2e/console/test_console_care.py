"""What a person has entered, and who a person is, are in good hands: nothing typed is lost, nothing is done twice or for somebody else."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, Request, Route, expect

from tests.e2e.console.furnished import Furnished
from tests.e2e.console.person import PASSWORD, Person
from tests.e2e.console.settled import until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NewContext = Callable[..., BrowserContext]

SAID = """window.said = [];
new MutationObserver(() => { for (const one of document.querySelectorAll("[role=status]")) said.push(one.textContent); })
  .observe(document, {childList: true, subtree: true, characterData: true});"""
"""What is shown for a moment only may be gone when it is looked for."""


def test_another_tab_that_changes_the_account_in_one_go_shows_nothing_of_the_last_one(
    new_context: NewContext,
) -> None:
    first = Person(new_context().new_page()).sign_up()
    first.page.goto("/ssh-keys")
    first.made("/api/v1/ssh_keys", {"name": "of the first"})
    first.page.reload()
    expect(first.page.get_by_text("of the first")).to_be_visible()
    second = Person(new_context().new_page()).sign_up()
    session = second.page.evaluate("localStorage.getItem('console.session')")

    # What another tab has done is seen here at the end of it alone.
    other = first.page.context.new_page()
    other.goto("/usage")
    other.evaluate("session => localStorage.setItem('console.session', session)", session)
    expect(first.page.locator(".whoami")).to_contain_text(second.email)
    expect(first.page.get_by_text("No key yet")).to_be_visible()
    expect(first.page.get_by_text("of the first")).to_have_count(0)


def test_an_order_of_a_session_that_ended_is_not_given_by_the_next_person(new_context: NewContext) -> None:
    first = Person(new_context().new_page()).sign_up()
    second = Person(new_context().new_page()).sign_up()
    session = second.page.evaluate("localStorage.getItem('console.session')")
    page = first.page

    def meanwhile(route: Route) -> None:
        page.evaluate("session => localStorage.setItem('console.session', session)", session)
        refused = {"status": 401, "code": "token_revoked", "detail": "The token was revoked."}
        route.fulfill(status=401, content_type="application/problem+json", body=json.dumps(refused))

    page.route("**/api/v1/ssh_keys", meanwhile, times=1)
    page.goto("/ssh-keys")
    page.get_by_role("button", name="Add a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("of the first")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert second.call("GET", "/api/v1/ssh_keys").json()["total"] == 0


def test_what_was_entered_is_there_again_after_signing_in_again_and_for_nobody_else(page: Page) -> None:
    person = Person(page).sign_up()
    page.goto("/deploy/image")
    page.get_by_label("Name").fill("site")
    page.get_by_label("Image").fill("registry.example.com/team/app:3")
    page.get_by_label("Environment").fill("SECRET=of mine")
    assert person.call("POST", "/mod/auth/logout").status == 204
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    person.sign_in()
    expect(page.get_by_label("Image")).to_have_value("registry.example.com/team/app:3")
    expect(page.get_by_label("Environment")).to_have_value("SECRET=of mine")
    expect(page.get_by_label("Name")).to_have_value("site")

    assert person.call("POST", "/mod/auth/logout").status == 204
    page.get_by_role("button", name="Deploy").click()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("E-mail address").fill(f"other-{person.email}")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Deploy an image")).to_be_visible()
    expect(page.get_by_label("Image")).to_have_value("")
    expect(page.get_by_label("Environment")).to_have_value("")


def test_a_page_with_unsaved_changes_is_left_only_when_it_is_said_so(
    furnished_page: Page, furnished: Furnished
) -> None:
    page = furnished_page
    page.goto("/deployments")
    page.get_by_role("link", name="hello", exact=True).click()
    page.get_by_role("link", name="Settings").click()
    name = page.get_by_label("Name")
    name.fill("something else")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_role("link", name="Nodes", exact=True).click()
    page.go_back()
    expect(name).to_have_value("something else")
    until(page, lambda: len(asked) > 1)
    assert len(asked) == 2
    expect(page).to_have_url(re.compile(f"{furnished.place.deployment}/settings$"))

    page.remove_listener("dialog", stay)
    page.once("dialog", lambda dialog: dialog.accept())
    page.go_back()
    expect(page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()


def test_every_order_that_the_network_breaks_off_is_sent_again_and_performed_once(page: Page) -> None:
    """The answer is lost: the platform has done what was asked."""
    lost: set[str] = set()
    keys: dict[str, set[str]] = {}

    def lose_the_first_answer(route: Route) -> None:
        request = route.request
        asked = f"{request.method} {re.sub('[0-9a-f]{32}', ':id', request.url)}"
        keys.setdefault(asked, set()).add(request.headers.get("idempotency-key", ""))
        if request.method == "GET" or asked in lost:
            route.continue_()
        else:
            lost.add(asked)
            route.fetch()
            route.abort("connectionreset")

    page.route("**/api/v1/**", lose_the_first_answer)
    page.route("**/mod/**", lose_the_first_answer)
    person = Person(page)
    page.goto("/sign-up")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()

    _a_key_is_added_and_deleted(page)
    page.get_by_role("link", name="Nodes").click()
    page.get_by_role("button", name="Add a node").click()
    page.get_by_role("dialog").get_by_label("Name").fill("attic")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="Copy the join command")).to_be_focused()
    page.get_by_role("button", name="Done").click()
    assert [one["name"] for one in person.call("GET", "/api/v1/nodes").json()["items"]].count("attic") == 1
    orders = {asked: sent for asked, sent in keys.items() if asked.startswith("POST") and "/api/" in asked}
    assert len(orders) == 2
    assert all(len(sent) == 1 and "" not in sent for sent in orders.values())


def _a_key_is_added_and_deleted(page: Page) -> None:
    page.get_by_role("link", name="SSH keys").click()
    page.get_by_role("button", name="Add a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("deploy")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="deploy")).to_have_count(1)
    page.get_by_role("button", name="Delete deploy").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No key yet")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="SSH keys")).to_be_focused()


def test_an_api_key_is_not_asked_for_twice_and_one_whose_answer_was_lost_can_be_revoked(page: Page) -> None:
    Person(page).sign_up()
    page.goto("/api-keys")
    asked: list[Request] = []

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            asked.append(route.request)
            route.fetch()
            route.abort("connectionreset")

    page.route("**/mod/keys", lose_the_answer)
    page.get_by_role("button", name="Create a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("ci")
    page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("revoke it, since nobody has seen it")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Revoke ci")).to_have_count(1)
    assert len(asked) == 1


def test_what_is_refused_is_where_the_focus_goes_and_a_busy_button_keeps_it(page: Page) -> None:
    Person(page).sign_up()
    page.goto("/deploy/git")
    page.get_by_label("Name").fill("site")
    page.get_by_label("Repository").fill("not an address")
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_label("Repository")).to_be_focused()
    expect(page.get_by_label("Repository")).to_have_value("not an address")
    assert page.get_by_label("Repository").get_attribute("aria-invalid") == "true"

    page.goto("/account")
    page.get_by_label("Present password").fill("not the password")
    page.get_by_label("New password").fill("a new long password")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/mod/auth/password", hold)
    button = page.get_by_role("button", name="Change the password")
    button.press("Enter")
    button.press("Enter")
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_be_focused()
    until(page, lambda: bool(held))
    assert len(held) == 1
    held[0].continue_()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("New password")).to_have_value("a new long password")


def test_without_a_clipboard_a_text_is_copied_all_the_same(furnished_page: Page) -> None:
    page = furnished_page
    # As on every page that came over plain HTTP from another machine.
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.add_init_script(SAID)
    page.goto("/ssh-keys")
    page.get_by_role("button", name="Copy the public key deploy key").click()
    page.wait_for_function("said.includes('Copied')")
    key = page.locator(".copy-text code").inner_text()
    page.goto("/deploy/image")
    page.get_by_label("Image").focus()
    page.keyboard.press("Control+V")
    expect(page.get_by_label("Image")).to_have_value(key)


def test_a_machine_that_is_gone_for_good_is_said_so_with_what_is_lost(page: Page) -> None:
    person = Person(page).sign_up()
    node = person.made("/api/v1/nodes", {"name": "attic"})
    away = {**node, "status": "offline", "last_seen_at": "2026-01-01T00:00:00Z"}
    page.route("**/api/v1/nodes", lambda route: route.fulfill(json={"items": [away], "next_cursor": None}))
    page.goto("/nodes")
    page.get_by_role("button", name="Remove attic").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("It is gone for good").check()
    expect(dialog).to_contain_text("without the data that its volumes held")
    with page.expect_response("**/api/v1/nodes/node_*") as answered:
        dialog.get_by_role("button", name="Remove", exact=True).click()
    assert (answered.value.request.url.endswith("?lost=true"), answered.value.status) == (True, 204)
