"""What the console says when something does not work: each of these is broken for real, and mended again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from deploy.console import make
from tests.e2e.console.person import Person
from tests.e2e.platform_process import PlatformProcess, free_ports, platform

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

NewContext = Callable[..., BrowserContext]


class Counters:
    """A Redis of the platform's own, which can be taken away."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        settings = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait(10)


@pytest.fixture(scope="module")
def counters() -> Iterator[Counters]:
    counters = Counters()
    yield counters
    counters.stop()


@pytest.fixture(scope="module")
def console_platform(
    docker_engine: str, counters: Counters, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlatformProcess]:
    make("build")
    data = tmp_path_factory.mktemp("refusals")
    with platform(data / "platform", REDIS_URL=counters.url) as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.tail()


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
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        yield int(child)
        yield from _descendants(int(child))


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_a_machine_that_is_away_is_said_and_its_return_is_noticed(
    page: Page, console_platform: PlatformProcess
) -> None:
    person = Person(page).sign_up()
    at = person.deploy_hello()
    with frozen("-m worker", console_platform):
        page.goto(f"{at}/events")
        notice = page.get_by_role("alert").first
        expect(notice).to_contain_text(
            "The machine that runs this deployment cannot be reached at the moment.", timeout=30_000
        )
        expect(notice).to_contain_text("Your app may still be serving.")
        expect(notice.get_by_role("link", name="See the nodes")).to_be_visible()
        expect(page.locator(".placeholder")).to_have_count(0)
    expect(page.get_by_role("cell", name="deployment_running")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.goto(at)
    person.delete_it()


def test_operations_that_cannot_be_counted_are_refused_with_a_reason(page: Page, counters: Counters) -> None:
    person = Person(page).sign_up()
    person.deploy_hello()
    counters.stop()
    page.get_by_role("button", name="Stop").click()
    notice = page.locator(".actions-problem").get_by_role("alert")
    expect(notice).to_contain_text(
        "Operations cannot be counted at the moment, so none is accepted.", timeout=20_000
    )
    expect(notice).to_contain_text("Your apps go on serving.")
    person.sees_state("running")

    counters.start()
    deadline = time.monotonic() + 60
    while page.get_by_role("button", name="Start", exact=True).count() == 0:
        assert time.monotonic() < deadline
        if page.get_by_role("button", name="Stop").count() > 0:
            page.get_by_role("button", name="Stop").click()
        page.wait_for_timeout(1000)
    person.sees_state("stopped")
    expect(notice).to_have_count(0)
    person.delete_it()


def test_a_device_that_is_offline_is_told_so_and_nothing_is_lost(page: Page) -> None:
    Person(page).sign_up()
    page.goto("/deploy/image")
    page.get_by_label("Name").fill("site")
    page.get_by_label("Image").fill("nginx:1.27")
    page.context.set_offline(True)
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("alert")).to_contain_text("This device is offline.")
    expect(page.get_by_label("Image")).to_have_value("nginx:1.27")

    # A part of the console that was not fetched yet.
    page.get_by_role("link", name="API keys").click()
    expect(page.get_by_role("alert")).to_contain_text("This device is offline.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No key yet")).to_be_visible()
