"""The list of deployments of a customer who has more of them than one page shows."""

import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console.person import Person
from tests.e2e.platform_process import PlatformProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

COPIED = "user_id, org_id, template_id, template_revision, visibility, required_capabilities, cpu_millis, memory_mb, disk_mb"


def _copies(platform: PlatformProcess, deployment_id: str, number: int) -> None:
    """Newer ones like it, named `copy 0` and so on, without a plan that permits so many."""
    with closing(sqlite3.connect(platform.data / "hoster" / "hoster.db", timeout=30)) as database, database:
        database.executemany(
            f"INSERT INTO deployments (id, name, folded_name, project_id, status, created_at, updated_at, {COPIED})"  # noqa: S608 - constant
            f" SELECT id || ?1, ?2, ?2, project_id || ?1, 'stopped', created_at, updated_at, {COPIED} FROM deployments WHERE id = ?3",
            [(f"-{copy}", f"copy {copy}", deployment_id) for copy in range(number)],
        )


def test_a_list_of_more_than_one_page_is_searched_by_the_api(
    page: Page, console_platform: PlatformProcess
) -> None:
    person = Person(page).sign_up()
    hello = person.call("GET", "/api/v1/templates?q=hello").json()["items"][0]["id"]
    oldest = person.made("/api/v1/deployments", {"name": "Stra\u00dfe", "template_id": hello, "start": False})
    _copies(console_platform, oldest["id"], 60)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/deployments")
    rows, search = page.locator(".deployment-row h2"), page.get_by_role("searchbox")
    expect(rows).to_have_count(50)

    search.press_sequentially("STRASSE")
    expect(rows).to_have_text(["Stra\u00dfe"])
    expect(search).to_be_focused()
    assert not any("cursor=" in url for url in asked)
    search.fill("COPY 5")
    expect(rows).to_have_text([f"copy {number}" for number in (*range(59, 49, -1), 5)])
    page.get_by_role("button", name="failed").click()
    expect(page.get_by_text("No deployment fits")).to_be_visible()
    page.get_by_role("button", name="stopped").click()
    expect(rows).to_have_count(11)
    search.fill("")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(60)
    page.get_by_role("button", name="all").click()
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(61)
