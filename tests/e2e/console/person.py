"""A person at the console: what it does by keyboard and mouse, and what it sees."""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from playwright.sync_api import APIResponse, Page, expect

PASSWORD = "correct horse battery"
LOOK_EVERY_MS = 100


class Person:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.email = f"{uuid.uuid4().hex[:12]}@example.com"

    def sign_up(self) -> "Person":
        self.page.goto("/sign-up")
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign up").click()
        expect(self.page.get_by_role("heading", name="Deployments")).to_be_visible()
        return self

    def sign_in(self) -> None:
        self.page.get_by_label("E-mail address").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def fill_in_hello(self, message: str) -> None:
        self.page.goto("/templates")
        self.page.get_by_role("searchbox", name="Search templates").fill("hello")
        self.page.get_by_role("link", name="Hello", exact=True).click()
        self.page.get_by_label("Message").fill(message)

    def deploy_hello(self, message: str = "It works") -> str:
        """Returns the path of the deployment's page, which is then open."""
        self.fill_in_hello(message)
        self.page.get_by_role("button", name="Deploy").click()
        self.page.wait_for_url(re.compile(r"/deployments/dep_"))
        self.sees_state("running")
        return self.page.url

    def sees_state(self, state: str) -> None:
        badge = self.page.locator(".deployment-facts .badge")
        expect(badge).to_have_text(re.compile(rf"\s{state}$"), timeout=90_000)

    def delete_it(self) -> None:
        """From the deployment's page, on which the person is."""
        self.page.get_by_role("button", name="Delete").click()
        name = self.page.get_by_role("heading", level=1).inner_text()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label(f"Type {name} to confirm").fill(name)
        dialog.get_by_role("button", name="Delete", exact=True).click()
        self.page.wait_for_url("**/deployments", timeout=90_000)

    def token(self) -> str:
        session = self.page.evaluate("localStorage.getItem('console.session')")
        return str(json.loads(session)["token"])

    def made(self, path: str, body: Any) -> Any:
        """What a POST has made."""
        answer = self.call("POST", path, body)
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()

    def call(self, method: str, path: str, body: Any = None) -> APIResponse:
        """As a program of the same person would, beside the browser."""
        return self.page.request.fetch(
            path, method=method, data=body, headers={"Authorization": f"Bearer {self.token()}"}
        )

    def until_answered(self, path: str, as_wanted: Callable[[APIResponse], bool]) -> None:
        """Until the platform answers so: what was done elsewhere is in force in each process only a moment later."""
        last = self.call("GET", path)
        for _ in range(60_000 // LOOK_EVERY_MS):
            if as_wanted(last):
                return
            self.page.wait_for_timeout(LOOK_EVERY_MS)
            last = self.call("GET", path)
        raise AssertionError(f"{path}: still {last.status} {last.text()}")
