"""What the console says when something does not work: each of these is broken for real, and mended again."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.console.furnished import Furnished
from tests.e2e.console.person import Person
from tests.e2e.console.redis_process import RedisProcess
from tests.e2e.platform_process import PlatformProcess, platform

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NewContext = Callable[..., BrowserContext]


@contextmanager
def frozen(program: str, of: PlatformProcess) -> Iterator[None]:
    """One service of the platform, its helpers included, does nothing for a while."""
    stopped = [pid for pid in _descendants(of.process.pid) if program in _command(pid)]
    assert stopped, f"{program} does not run"
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def _descendants(pid: int) -> Iterator[int]:
    for child in _told(f"/proc/{pid}/task/{pid}/children").split():
        yield int(child)
        yield from _descendants(int(child))


def _command(pid: int) -> str:
    return _told(f"/proc/{pid}/cmdline").replace("\0", " ")


def _told(file: str) -> str:
    """Nothing of a process that has ended meanwhile."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_machine_that_is_away_is_said_and_its_return_is_noticed(
    furnished_page: Page, furnished: Furnished, console_platform: PlatformProcess
) -> None:
    page = furnished_page
    with frozen("-m worker", console_platform):
        page.goto(f"{furnished.place.deployment}/events")
        notice = page.get_by_role("alert").first
        expect(notice).to_contain_text(
            "The machine that runs this deployment cannot be reached at the moment.", timeout=60_000
        )
        expect(notice).to_contain_text("Your app may still be serving.")
        expect(notice.get_by_role("link", name="See the nodes")).to_be_visible()
        expect(page.locator(".placeholder")).to_have_count(0)
    expect(page.get_by_role("cell", name="deployment running").first).to_be_visible(timeout=90_000)
    expect(page.get_by_role("alert")).to_have_count(0)
    # The next test needs the machine whole: a node that was silent for long is offline until its next heartbeat.
    Person(page).until_answered("/api/v1/nodes", lambda answer: '"online"' in answer.text())


@pytest.fixture
def counters() -> Iterator[RedisProcess]:
    counters = RedisProcess()
    yield counters
    counters.stop()


@pytest.fixture
def counted_platform(docker_engine: str, counters: RedisProcess, tmp_path: Path) -> Iterator[PlatformProcess]:
    """One that counts in a Redis. Its gateway refuses what Redis does not answer within 50 ms, as it may on a busy machine."""
    with platform(tmp_path, REDIS_URL=counters.url) as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.tail()


def test_operations_that_cannot_be_counted_are_refused_with_a_reason(
    new_context: NewContext, counted_platform: PlatformProcess, counters: RedisProcess
) -> None:
    page = new_context(counted_platform.url).new_page()
    person = Person(page).sign_up()
    person.fill_in_hello("It works")
    _pressed_until_accepted(page, "Deploy")
    person.sees_state("running")
    counters.stop()
    page.get_by_role("button", name="Stop").click()
    notice = page.locator(".actions-problem").get_by_role("alert")
    expect(notice).to_contain_text("Operations cannot be counted at the moment, so none is accepted.")
    expect(notice).to_contain_text("Your apps go on serving.")
    person.sees_state("running")

    counters.start()
    _pressed_until_accepted(page, "Stop")
    person.sees_state("stopped")
    expect(notice).to_have_count(0)
    _pressed_until_accepted(page, "Start")
    person.sees_state("running")


def _pressed_until_accepted(page: Page, name: str) -> None:
    for _ in range(60):
        with page.expect_response(lambda response: response.request.method == "POST") as answered:
            page.get_by_role("button", name=name, exact=True).click()
        if answered.value.ok:
            return
        assert answered.value.status == 503, answered.value.text()
        page.wait_for_timeout(1000)
    raise AssertionError(f"{name} is still refused")


def test_a_device_that_is_offline_is_told_so_and_nothing_is_lost(page: Page) -> None:
    Person(page).sign_up()
    page.goto("/deploy/image")
    page.get_by_label("Name").fill("site")
    page.get_by_label("Image").fill("nginx:1.27")
    page.context.set_offline(True)
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("alert")).to_contain_text("This device is offline.")
    expect(page.get_by_label("Image")).to_have_value("nginx:1.27")

    # A part of the console that was not fetched yet. The form is given up for it, which is asked first.
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="API keys").click()
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("This device is offline.")
    page.context.set_offline(False)
    again.click()
    expect(page.get_by_text("No key yet")).to_be_visible()


def test_what_the_network_breaks_off_is_asked_for_again_and_ordered_once(page: Page) -> None:
    """A page's parts, what they show, and an order; each is broken off once."""
    person = Person(page).sign_up()
    broken: set[str] = set()

    def break_once(route: Route) -> None:
        asked = f"{route.request.method} {route.request.url}"
        if asked in broken:
            route.continue_()
        else:
            broken.add(asked)
            route.abort("internetdisconnected")

    page.route("**/assets/*", break_once)
    page.route("**/api/v1/deployments", break_once)
    page.get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="From an image").click()
    page.get_by_label("Name").fill("site")
    page.get_by_label("Image").fill("localhost/hello:1")
    page.get_by_label("Port").fill("8080")
    page.get_by_role("button", name="Deploy").click()
    person.sees_state("running")

    assert any("/assets/" in one for one in broken)
    assert any(one.startswith("POST ") for one in broken)
    assert person.call("GET", "/api/v1/deployments").json()["total"] == 1
    person.delete_it()
