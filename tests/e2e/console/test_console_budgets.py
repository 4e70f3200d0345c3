"""What the console may weigh, how soon it shows, and that everybody can use it: every page and dialog, light and dark."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from deploy.console import WEB, make
from tests.e2e.console.dialogs import DIALOGS, SECOND_STEPS, dialogs_in_source
from tests.e2e.console.furnished import Furnished, Place
from tests.e2e.console.long_contents import LONG_PAGES, answer_at_length
from tests.e2e.console.operator_commands import Operator
from tests.e2e.console.person import Person
from tests.e2e.console.settled import settled, turn_to

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NewContext = Callable[..., BrowserContext]

SCRIPT_MOST = 90 * 1024
STYLE_MOST = 15 * 1024
OBSERVE = """
window.seen = {lcp: 0, cls: 0};
new PerformanceObserver((list) => { for (const one of list.getEntries()) seen.lcp = one.startTime; })
  .observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) seen.cls += one.value; })
  .observe({type: "layout-shift", buffered: true});
"""
SLOWEST_FRAME = """async () => {
  const log = document.querySelector(".log");
  let slowest = 0, before = performance.now();
  for (let step = 0; step < 60; step += 1) {
    log.scrollTop = (log.scrollHeight * step) / 60;
    await new Promise(requestAnimationFrame);
    slowest = Math.max(slowest, performance.now() - before);
    before = performance.now();
  }
  return slowest;
}"""
TRIES = 10
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = (
    "/deployments", "/templates", "/deploy/image", "/deploy/git", "/nodes", "/ssh-keys", "/api-keys", "/usage", "/account",
    "/admin/users", "/admin/plans", "/my-templates", "/my-templates/new", "/nowhere",
)  # fmt: skip
WIDER = """Math.max(...[document.documentElement, ...document.querySelectorAll("dialog")].map(
  (one) => one.scrollWidth - one.clientWidth))"""
RUN_AXE = """rules => axe.run(document, {runOnly: rules, resultTypes: ["violations"], preload: false})
  .then((found) => found.violations)"""
RULES_BY_SCHEME: dict[Literal["light", "dark"], list[str]] = {"light": RULES, "dark": ["color-contrast"]}
WIDTHS = (320, 360, 768, 1280)


def test_what_is_loaded_at_first_stays_small() -> None:
    make("build")
    index = (WEB / "dist" / "index.html").read_text(encoding="utf-8")
    first = set(re.findall(r'(?:src|href)="/(assets/[^"]+)"', index))
    weight = {name: len(gzip.compress((WEB / "dist" / name).read_bytes())) for name in first}
    assert sum(size for name, size in weight.items() if name.endswith(".js")) <= SCRIPT_MOST
    assert sum(size for name, size in weight.items() if name.endswith(".css")) <= STYLE_MOST
    assert "<script>" not in index
    assert "style=" not in index


def test_a_console_that_has_not_changed_is_not_built_again() -> None:
    make("build")
    built = (WEB / "dist" / "index.html").stat().st_mtime_ns
    assert make("build") is False
    assert (WEB / "dist" / "index.html").stat().st_mtime_ns == built


def test_what_browsers_ask_for_by_themselves_is_there(page: Page) -> None:
    for path, kind in (("/favicon.ico", "image/vnd.microsoft.icon"), ("/apple-touch-icon.png", "image/png")):
        answer = page.request.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_pages_show_within_a_second_and_do_not_jump(furnished_page: Page, furnished: Furnished) -> None:
    furnished_page.add_init_script(OBSERVE)
    for path in ("/deployments", "/templates", "/usage", "/nodes", furnished.place.deployment):
        quickest = _quickest(partial(_shown_after_ms, furnished_page, path), 1000)
        assert 0 < quickest < 1000, (path, quickest)


def _quickest(measure: Callable[[], float], budget: float) -> float:
    """Of a few tries, of which one within the budget is enough: a busy machine makes a page slower, and nothing makes it quicker than it is."""
    quickest = measure()
    for _ in range(TRIES - 1):
        if quickest < budget:
            break
        quickest = min(quickest, measure())
    return quickest


def _shown_after_ms(page: Page, path: str) -> float:
    page.goto(path)
    settled(page)
    page.wait_for_function("seen.lcp > 0")
    seen = page.evaluate("seen")
    # However late something comes, it comes to its place.
    assert seen["cls"] < 0.02, (path, seen)
    return float(seen["lcp"])


def test_a_log_of_a_hundred_thousand_lines_stays_quick(furnished_page: Page, furnished: Furnished) -> None:
    page = furnished_page
    page.route("**/monitoring/stream*", lambda route: route.fulfill(
        status=200, headers={"Content-Type": "text/event-stream"}, body=_long_log(100_000)
    ))  # fmt: skip
    page.goto(f"{furnished.place.deployment}/logs")
    expect(page.locator(".log-foot")).to_contain_text("100,000 lines", timeout=90_000)
    expect(page.locator(".log-row").last).to_contain_text("line 99999")
    assert page.locator(".log-row").count() < 150

    slowest = _quickest(lambda: float(page.evaluate(SLOWEST_FRAME)), 500)
    assert slowest < 500, f"a frame took {slowest:.0f} ms"
    page.get_by_role("searchbox", name="Search in the log").fill("line 77777")
    page.get_by_role("searchbox", name="Search in the log").press("Enter")
    expect(page.locator(".log-row.is-current")).to_contain_text("line 77777")


def _long_log(count: int) -> str:
    return "".join(
        f"id: c-{number}\nevent: log\ndata: "
        + json.dumps({"container": "web", "timestamp": "2026-01-01T00:00:00.000000000Z", "stream": "stdout", "message": f"line {number}"})
        + "\n\n"
        for number in range(count)
    ) + "event: end\ndata: {}\n\n"  # fmt: skip


def test_every_dialog_of_the_source_is_looked_at() -> None:
    assert set(dialogs_in_source()) == set(DIALOGS)


def test_no_page_stands_in_anybodys_way(
    new_context: NewContext, furnished: Furnished, operator: Operator, axe_source: str
) -> None:
    faults: list[str] = []
    empty = new_context().new_page()
    for path in ("/sign-in", "/sign-up"):
        faults += _looked_at(empty, axe_source, path)
    operator.promote(Person(empty).sign_up())
    for path in PAGES:
        faults += _looked_at(empty, axe_source, path)
    full = new_context(session=furnished.session).new_page()
    for path in _furnished(furnished.place):
        faults += _looked_at(full, axe_source, path)
    assert faults == []


def test_no_dialog_stands_in_anybodys_way(
    page: Page, furnished_page: Page, furnished: Furnished, axe_source: str
) -> None:
    Person(page).sign_up()  # somebody to suspend
    faults: list[str] = []
    for name, open_it in (DIALOGS | SECOND_STEPS).items():
        open_it(furnished_page, furnished.place)
        expect(furnished_page.get_by_role("dialog")).to_be_visible()
        faults += _violations(furnished_page, axe_source, name)
        faults += _overflows(furnished_page, name)
        furnished_page.keyboard.press("Escape")
        expect(furnished_page.get_by_role("dialog")).to_have_count(0)
    assert faults == []


def test_nothing_is_too_long_for_any_page(furnished_page: Page) -> None:
    page = furnished_page
    answer_at_length(page)
    faults: list[str] = []
    for path in LONG_PAGES:
        turn_to(page, path)
        faults += _overflows(page, path)
    assert faults == []


def _furnished(place: Place) -> Iterator[str]:
    """The pages that show something once there is something."""
    yield from ("/deployments", "/nodes", "/ssh-keys", "/api-keys", "/usage", "/my-templates")
    yield f"/my-templates/new?from={place.template}"
    yield f"/templates/{place.template}"
    yield from place.pages()


def _looked_at(page: Page, axe_source: str, path: str) -> list[str]:
    turn_to(page, path)
    return _violations(page, axe_source, path) + _overflows(page, path)


def _violations(page: Page, axe_source: str, where: str) -> list[str]:
    """In light and in dark, which differ in their colours alone."""
    faults = []
    if not page.evaluate("'axe' in window"):
        # Evaluated by the debugger, so that the page's own policy stays as it is.
        page.evaluate(axe_source)
    for scheme, rules in RULES_BY_SCHEME.items():
        # Without motion: colours change over a moment, and half-way between two they are of neither.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found: list[dict[str, Any]] = page.evaluate(RUN_AXE, rules)
        faults += [
            f"{where}, {scheme}: {one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]
    return faults


def _overflows(page: Page, where: str) -> list[str]:
    """Nothing but tables and logs may scroll sideways, at any width; no dialog has more in it than it shows."""
    faults = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wider = page.evaluate(WIDER)
        faults += [f"{where}: {wider} px too wide at {width} px"] if wider > 0 else []
    return faults
