"""Every dialog of the console, and how a person comes to it. Which ones there are is read from the console's own source."""

import re
from collections.abc import Callable, Iterator

from playwright.sync_api import Page, expect

from deploy.console import WEB
from tests.e2e.console.furnished import Place
from tests.e2e.console.settled import turn_to

_OPENS = re.compile(r"<(?:Dialog|Confirmation|Removal)\b")
_COMPONENT = re.compile(r"^(?:export )?(?:default )?function ([A-Z]\w*)", re.MULTILINE)
_ELEMENTS = "elements"


def dialogs_in_source() -> Iterator[str]:
    """`file/Component` for each place in the source that opens a dialog; the elements that dialogs are made of open none."""
    for file in sorted((WEB / "src").rglob("*.tsx")):
        if file.parent.name == _ELEMENTS:
            continue
        text = file.read_text(encoding="utf-8")
        for found in _OPENS.finditer(text):
            component = [name[1] for name in _COMPONENT.finditer(text, 0, found.start())][-1]
            yield f"{file.stem}/{component}"


Open = Callable[[Page, Place], None]


def _by_button(path: Callable[[Place], str], name: str | re.Pattern[str]) -> Open:
    def open_it(page: Page, place: Place) -> None:
        turn_to(page, path(place))
        page.get_by_role("button", name=name).and_(page.locator(":enabled")).first.click()

    return open_it


def _fixed(path: str) -> Callable[[Place], str]:
    return lambda _: path


def _with_a_new_key(page: Page, place: Place) -> None:
    _by_button(_fixed("/api-keys"), "Create a key")(page, place)
    page.get_by_role("dialog").get_by_label("Name").fill("another")
    page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("Copy it now")).to_be_visible()


def _with_a_join_command(page: Page, place: Place) -> None:
    _by_button(_fixed("/nodes"), "Add a node")(page, place)
    page.get_by_role("dialog").get_by_label("Name").fill("cellar")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("Run this on the machine")).to_be_visible()


def _with_ssh(page: Page, place: Place) -> None:
    _by_button(_fixed("/nodes"), "Add a node")(page, place)
    page.get_by_role("dialog").get_by_label("Install it for me over SSH").check()


DIALOGS: dict[str, Open] = {
    "deletion/Deletion": _by_button(lambda place: place.deployment, "Delete"),
    "releases_tab/ReleaseRow": _by_button(lambda place: f"{place.deployment}/releases", "Roll back to this"),
    "domains_tab/DomainCard": _by_button(lambda place: f"{place.deployment}/domains", re.compile("^Remove ")),
    "template_actions/TemplateActions": _by_button(
        lambda place: f"/my-templates/{place.template}", "Delete My own"
    ),
    "new_node_dialog/NewNodeDialog": _with_ssh,
    "node_card/NodeRemoval": _by_button(_fixed("/nodes"), "Remove attic"),
    "install_again_dialog/InstallAgainDialog": _by_button(_fixed("/nodes"), "Install again"),
    "ssh_keys_page/NewKeyDialog": _by_button(_fixed("/ssh-keys"), "Add a key"),
    "ssh_keys_page/KeyCard": _by_button(_fixed("/ssh-keys"), "Delete deploy key"),
    "new_api_key_dialog/NewApiKeyDialog": _by_button(_fixed("/api-keys"), "Create a key"),
    "api_keys_page/KeyRow": _by_button(_fixed("/api-keys"), "Revoke ci"),
    "users_page/UserRow": _by_button(_fixed("/admin/users"), re.compile("^Suspend ")),
}

SECOND_STEPS: dict[str, Open] = {
    "the join command of a new node": _with_a_join_command,
    "a new key, shown once": _with_a_new_key,
}
"""What a dialog shows after its form was sent."""
