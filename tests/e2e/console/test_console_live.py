"""What is live on a deployment's page, and over how many connections."""

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e.console.furnished import TABS, Furnished
from tests.e2e.console.person import Person
from tests.e2e.console.settled import until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


class OpenStreams:
    """How many streams a page has open, the most at any time, and how many it has begun."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: set[Request] = set()
        self.most = 0
        self.begun = 0
        page.on("request", self._began)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    @property
    def now(self) -> int:
        return len(self._open)

    def all_end(self) -> None:
        until(self._page, lambda: self.now == 0)

    def _ended(self, request: Request) -> None:
        self._open.discard(request)

    def _began(self, request: Request) -> None:
        if "/monitoring/stream" not in request.url:
            return
        self._open.add(request)
        self.begun += 1
        self.most = max(self.most, self.now)


def test_a_tab_has_one_stream_open_whatever_it_shows(furnished_page: Page, furnished: Furnished) -> None:
    page = furnished_page
    streams = OpenStreams(page)
    page.goto(furnished.place.deployment)
    expect(page.locator(".stream-light")).to_have_text("Live")
    served = page.locator(".log-message").filter(has_text="serving on port")
    expect(served).to_have_count(1)
    expect(page.locator(".numbers-now")).to_contain_text("of 64 MB")
    tabs = page.get_by_role("navigation", name="Of this deployment").get_by_role("link")
    expect(tabs).to_have_count(len(TABS))
    for place in range(len(TABS)):
        tabs.nth(place).click()
        expect(tabs.nth(place)).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Logs", exact=True).click()
    expect(served).to_have_count(1)
    assert (streams.now, streams.most, streams.begun) == (1, 1, 1)

    page.get_by_role("link", name="Nodes", exact=True).click()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    streams.all_end()


def test_a_hidden_tab_listens_to_nothing_and_goes_on_where_it_was(
    furnished_page: Page, furnished: Furnished
) -> None:
    page = furnished_page
    streams = OpenStreams(page)
    page.goto(f"{furnished.place.deployment}/logs")
    served = page.locator(".log-message").filter(has_text="serving on port")
    expect(served).to_have_count(1)
    _hide(page, hidden=True)
    expect(page.locator(".stream-light")).to_have_text("Paused while hidden")
    streams.all_end()

    with page.expect_request("**/monitoring/stream*") as resumed:
        _hide(page, hidden=False)
    expect(page.locator(".stream-light")).to_have_text("Live")
    assert "logs=" in resumed.value.headers["last-event-id"]
    expect(served).to_have_count(1)
    assert (streams.now, streams.most) == (1, 1)


def test_a_stream_goes_on_in_a_renewed_session_and_asks_to_sign_in_after_the_last(page: Page) -> None:
    person = Person(page).sign_up()
    deployment = person.deploy_hello()
    page.get_by_role("link", name="Logs", exact=True).click()
    served = page.locator(".log-message").filter(has_text="serving on port")
    expect(served).to_have_count(1)
    page.wait_for_timeout(1500)  # younger ones are left alone

    with page.expect_request("**/monitoring/stream*") as resumed:
        token = person.made("/mod/auth/refresh", {})["token"]
        page.evaluate(_RENEWED, token)
    expect(page.locator(".stream-light")).to_have_text("Live")
    assert "logs=" in resumed.value.headers["last-event-id"]
    expect(served).to_have_count(1)

    assert person.call("POST", "/mod/auth/logout").status == 204
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    person.sign_in()
    expect(page.locator(".stream-light")).to_have_text("Live")
    page.goto(deployment)
    person.delete_it()


_RENEWED = """token => {
  const session = JSON.parse(localStorage.getItem("console.session"));
  localStorage.setItem("console.session", JSON.stringify({...session, token}));
}"""


def _hide(page: Page, *, hidden: bool) -> None:
    """A browser without a screen never hides a tab by itself."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


TWO_SERVICES = """services:
  web: {image: 'localhost/hello:1', expose: ['8080'], x-web: true, healthcheck: {x-path: /healthz}}
  second: {image: 'localhost/hello:1', expose: ['8080'], healthcheck: {x-path: /healthz}}
"""


def test_the_log_of_one_service_of_several_is_looked_at_alone(page: Page) -> None:
    person = Person(page).sign_up()
    template = {
        "name": "Pair",
        "compose": TWO_SERVICES,
        "resources": {"cpu_cores": 0.5, "memory_mb": 128, "disk_mb": 64},
    }
    page.goto(f"/templates/{person.made('/api/v1/templates', template)['id']}")
    page.get_by_role("button", name="Deploy").click()
    person.sees_state("running")
    page.get_by_role("link", name="Logs", exact=True).click()
    containers = page.locator(".log-container")
    expect(containers.filter(has_text="web").first).to_be_visible()
    page.get_by_label("Service").select_option("second")
    expect(containers.filter(has_text="second").first).to_be_visible()
    expect(containers.filter(has_text="web")).to_have_count(0)
    person.delete_it()


def test_the_graphs_keep_what_the_tab_has_seen(furnished_page: Page, furnished: Furnished) -> None:
    page = furnished_page
    page.goto(f"{furnished.place.deployment}/metrics")
    expect(page.get_by_text("stores no past numbers")).to_be_visible()
    memory = page.locator(".graph").filter(has_text="Memory").locator(".graph-now")
    expect(memory).to_contain_text("of 64 MB")
    # From here on no number comes any more.
    page.route("**/monitoring/stream*", lambda route: route.abort("connectionrefused"))
    _hide(page, hidden=True)
    expect(page.locator(".stream-light")).to_have_text("Paused while hidden")
    before = memory.inner_text()
    _hide(page, hidden=False)

    page.get_by_role("link", name="Account", exact=True).click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    page.go_back()
    expect(page.locator(".stream-light")).to_have_text("Reconnecting")
    expect(memory).to_have_text(before)

    page.reload()
    expect(page.locator(".stream-light")).to_have_text("Reconnecting")
    expect(memory).to_have_text(before)
