"""A browser and a platform for the console's journeys: the system's Chromium, real processes, real containers."""

import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from deploy.console import make
from deploy.local.plan import APP_DOMAIN
from tests.conftest import missing
from tests.e2e.console.desk import Desk, desk_beside
from tests.e2e.console.furnished import Furnished, furnish
from tests.e2e.console.operator_commands import Operator
from tests.e2e.console.person import Person
from tests.e2e.platform_process import ROOT, PlatformProcess, platform

SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
TINY_PLAN = """
plans:
  tiny:
    requests_per_month: 2
    rate_per_minute: 60
    burst: 10
    limits: {max_deployments: 5, max_cpu_cores: 2, max_memory_mb: 2048, max_disk_mb: 5120, allowed_capabilities: []}
"""


# On a machine that also runs everything else, whatever comes by itself has this long to come. What must be quick is measured.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def console_platform(
    docker_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlatformProcess]:
    """With one more plan, `tiny`, of which two operations are a month's."""
    make("build")
    data = tmp_path_factory.mktemp("console")
    routes = data / "routes.yaml"
    shipped = (ROOT / "deploy" / "routes.yaml").read_text(encoding="utf-8")
    routes.write_text(shipped.replace("\nplans:\n", TINY_PLAN), encoding="utf-8")
    with platform(data / "platform", GATEWAY_ROUTES=str(routes)) as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.tail()


@pytest.fixture(scope="package")
def desk(console_platform: PlatformProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_beside(tmp_path_factory.mktemp("desk")) as made:
        for port in ("GATEWAY_PORT", "MESH_PORT"):
            made.reaches(console_platform.ports[port])
        yield made


@pytest.fixture(scope="package")
def browser(desk: Desk) -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        missing("Chromium", "install the package chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=desk.program(program), args=list(SWITCHES))
        yield started
        started.close()


@pytest.fixture(scope="package")
def furnished(browser: Browser, console_platform: PlatformProcess, operator: Operator) -> Furnished:
    """Made once, for all tests that change none of it."""
    context = browser.new_context(base_url=console_platform.url)
    person = Person(context.new_page()).sign_up()
    operator.promote(person)
    operator.set_plan(person, "starter")
    place = furnish(person)
    session = context.storage_state()
    context.close()
    return Furnished(session, place)


@pytest.fixture
def new_context(
    browser: Browser, desk: Desk, console_platform: PlatformProcess
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes contexts of one person each. Any error that a page logs or throws fails the test."""
    opened: list[BrowserContext] = []
    faults: list[str] = []

    def make_context(url: str = console_platform.url, session: StorageState | None = None) -> BrowserContext:
        desk.reaches(int(url.rpartition(":")[2]))
        context = browser.new_context(
            base_url=url, viewport={"width": 1280, "height": 800}, storage_state=session
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", lambda page: _listen(page, faults))
        opened.append(context)
        return context

    yield make_context
    for context in opened:
        context.close()
    assert faults == []


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    return new_context().new_page()


@pytest.fixture
def furnished_page(new_context: Callable[..., BrowserContext], furnished: Furnished) -> Page:
    """Of the person who has one of everything."""
    return new_context(session=furnished.session).new_page()


@pytest.fixture(scope="session")
def axe_source() -> str:
    return (ROOT / "hoster/web/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="package")
def operator(console_platform: PlatformProcess) -> Operator:
    return Operator(console_platform.data / "gateway", console_platform.data.parent / "routes.yaml")


def _listen(page: Page, faults: list[str]) -> None:
    def heard(message: ConsoleMessage) -> None:
        if APP_DOMAIN in message.location["url"]:
            return  # a customer's app, which was opened too
        # Chromium logs every 4xx and 5xx answer of the API as an error; what the page makes of them is what the tests look at.
        # A file of the console that is not there, or that its policy forbids, is a fault. That a test went offline is none.
        expected = re.search(r"://[^/]+/(api|mod)/", message.location["url"]) is not None
        expected = expected or "ERR_INTERNET_DISCONNECTED" in message.text
        if message.type == "error" and not (expected and "Failed to load resource" in message.text):
            faults.append(f"{message.text} {message.location['url']}")

    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(str(error)))
