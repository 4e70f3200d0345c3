"""The console without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console.furnished import Furnished
from tests.e2e.console.person import Person
from tests.e2e.console.settled import settled

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

MOST_STOPS = 200
PAGES = (
    "/deployments",
    "/templates",
    "/deploy/git",
    "/nodes",
    "/ssh-keys",
    "/api-keys",
    "/usage",
    "/admin/users",
)
WHERE = """() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return null;
  const box = at.getBoundingClientRect();
  return {
    place: [...document.querySelectorAll("*")].indexOf(at),
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    first: at.matches(".skip"),
    what: at.outerHTML.slice(0, 80),
  };
}"""


def test_the_keyboard_walks_each_page_in_its_order_and_out_of_it(
    furnished_page: Page, furnished: Furnished
) -> None:
    faults: list[str] = []
    for path in (*PAGES, *furnished.place.pages()):
        furnished_page.goto(path)
        settled(furnished_page)
        faults += _walked(furnished_page, path)
    assert faults == []


def _walked(page: Page, path: str) -> list[str]:
    """Each press of Tab goes on in the order of the document, to something that can be seen, until the page is left."""
    before = -1
    faults: list[str] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(WHERE)
        if at is None or (at["first"] and before >= 0):
            return faults
        if at["place"] <= before:
            return [*faults, f"{path}: the focus goes back, or nowhere, at {at['what']}"]
        if not at["seen"]:
            faults.append(f"{path}: the focus is out of sight at {at['what']}")
        before = at["place"]
    return [*faults, f"{path}: {MOST_STOPS} presses do not lead out"]


def test_the_keyboard_reaches_everything_and_dialogs_give_the_focus_back(page: Page) -> None:
    Person(page).sign_up()
    page.goto("/api-keys")
    expect(page.get_by_text("No key yet")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    opener = page.get_by_role("button", name="Create a key")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        outside = page.evaluate(
            "!document.activeElement.closest('dialog') && document.activeElement !== document.body"
        )
        assert not outside
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
