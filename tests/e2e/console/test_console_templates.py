"""Templates of one's own: written, refused with the line that is wrong, revised, published, taken back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.console.person import Person

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NewContext = Callable[..., BrowserContext]

REFUSED = """services:
  web:
    image: localhost/hello:1
    privileged: true
    expose: ["8080"]
    environment:
      MESSAGE: ${GREETING}
    healthcheck: {x-path: /healthz}
"""


def test_a_template_is_written_corrected_and_deployed(page: Page) -> None:
    person = Person(page).sign_up()
    page.goto("/my-templates")
    expect(page.get_by_text("You have written no template yet")).to_be_visible()
    page.get_by_role("link", name="New template").click()
    page.get_by_label("Name", exact=True).fill("Greeter")
    page.get_by_label("Compose file").fill(REFUSED)
    page.get_by_role("button", name="Save the draft").click()

    fault = page.locator(".compose-faults li")
    expect(fault).to_contain_text("services.web.privileged is not permitted in a template")
    fault.get_by_role("button", name="Show line 4").click()
    chosen = page.evaluate(
        "(() => { const at = document.activeElement; return at.value.slice(at.selectionStart, at.selectionEnd); })()"
    )
    assert chosen == "    privileged: true"

    page.get_by_label("Compose file").fill(REFUSED.replace("    privileged: true\n", ""))
    page.get_by_role("button", name="Save the draft").click()
    expect(fault).to_contain_text("${GREETING} is not one of the variables")
    page.get_by_role("button", name="Add a variable").click()
    row = page.locator(".variable-row")
    row.get_by_label("Name", exact=True).fill("GREETING")
    row.get_by_label("Default").fill("Good morning")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("heading", name="Greeter", level=1)).to_be_visible()
    expect(page.get_by_text("revision 1")).to_be_visible()

    page.get_by_role("link", name="Deploy", exact=True).click()
    expect(page.get_by_label("GREETING")).to_have_value("Good morning")
    page.get_by_role("button", name="Deploy").click()
    person.sees_state("running")
    expect(page.get_by_text("Greeter template, revision 1")).to_be_visible()
    person.delete_it()


def test_what_somebody_else_saved_meanwhile_is_not_written_over(page: Page) -> None:
    person = Person(page).sign_up()
    template = _written(person)
    page.goto(f"/my-templates/{template}")
    # The form holds the revision it was filled from only once it is there.
    expect(page.get_by_label("Description")).to_be_visible()
    changed = person.call("PATCH", f"/api/v1/templates/{template}", {"description": "From another tab."})
    assert changed.status == 200
    page.get_by_label("Description").fill("From this tab.")
    page.get_by_role("button", name="Save as a new revision").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this since you opened it.")

    page.reload()
    expect(page.get_by_label("Description")).to_have_value("From another tab.")
    page.get_by_label("Description").fill("From this tab.")
    page.get_by_role("button", name="Save as a new revision").click()
    expect(page.get_by_text("Saved as revision 3.")).to_be_visible()
    page.get_by_label("Version").fill("1.1.0")
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    page.get_by_role("button", name="Save as a new revision").click()
    expect(page.get_by_text("Saved as revision 4.")).to_be_visible()


def test_a_published_template_is_everybodys_until_it_is_taken_back(new_context: NewContext) -> None:
    author = Person(new_context().new_page()).sign_up()
    other = Person(new_context().new_page()).sign_up()
    template = _written(author)
    author.page.goto("/my-templates")
    other.page.goto(f"/templates/{template}")
    expect(other.page.get_by_role("alert")).to_contain_text("There is no such template.")

    author.page.get_by_role("button", name="Publish Mine").click()
    expect(author.page.get_by_text("Everybody here can see and deploy it.")).to_be_visible()
    other.page.reload()
    expect(other.page.get_by_role("heading", name="Deploy Mine")).to_be_visible()
    other.page.goto(f"/my-templates/{template}")
    expect(other.page.get_by_text("Somebody else wrote this template")).to_be_visible()
    expect(other.page.get_by_label("Compose file")).to_have_count(0)
    other.page.get_by_role("link", name="Make your own from it").click()
    expect(other.page.get_by_label("Name", exact=True)).to_have_value("Mine of my own")

    author.page.get_by_role("button", name="Delete Mine").click()
    author.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(author.page.get_by_text("You have written no template yet")).to_be_visible()
    other.page.goto("/templates")
    expect(other.page.get_by_role("link", name="WordPress")).to_be_visible()
    expect(other.page.get_by_role("link", name="Mine", exact=True)).to_have_count(0)


def _written(person: Person) -> str:
    body = {
        "name": "Mine",
        "compose": "services: {web: {image: 'localhost/hello:1', expose: ['8080']}}",
        "resources": {"cpu_cores": 0.25, "memory_mb": 64, "disk_mb": 64},
    }
    return str(person.made("/api/v1/templates", body)["id"])


def test_what_was_deployed_from_a_withdrawn_template_can_still_be_changed(page: Page) -> None:
    person = Person(page).sign_up()
    template = person.made(
        "/api/v1/templates",
        {
            "name": "Short lived",
            "description": "Withdrawn soon.",
            "category": "examples",
            "version": "1.0.0",
            "compose": REFUSED.replace("    privileged: true\n", ""),
            "variables": [{"name": "GREETING", "default": "hello"}],
            "resources": {"cpu_cores": 0.25, "memory_mb": 64, "disk_mb": 64},
        },
    )
    body = {"name": "kept", "template_id": template["id"], "start": False}
    made = person.made("/api/v1/deployments", body)
    assert person.call("DELETE", f"/api/v1/templates/{template['id']}").status == 204

    page.goto(f"/deployments/{made['id']}/variables")
    expect(page.get_by_text("The template was withdrawn")).to_be_visible()
    page.get_by_label("GREETING").fill("still here")
    with page.expect_response(lambda response: response.request.method == "PATCH") as saved:
        page.get_by_role("button", name="Save").click()
    assert saved.value.status == 200
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    shown = person.call("GET", f"/api/v1/deployments/{made['id']}").json()
    assert shown["variables"] == {"GREETING": "still here"}
