"""What an operator does at the command line of the gateway while the platform runs."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.console.person import Person
from tests.e2e.platform_process import ROOT


@dataclass(frozen=True, slots=True)
class Operator:
    data: Path
    routes: Path

    def set_plan(self, person: Person, plan: str) -> None:
        self._users("set-plan", person.email, plan)
        # Hoster says what the gateway told it of them, which is what their next request is judged by.
        person.until_answered("/api/v1/me", lambda answer: bool(answer.json()["plan_id"] == plan))

    def promote(self, person: Person) -> None:
        self._users("promote", person.email)
        person.until_answered("/mod/admin/users", lambda answer: answer.ok)

    def _users(self, *arguments: str) -> None:
        settings = {
            "GATEWAY_DATA_DIR": str(self.data),
            "GATEWAY_ROUTES": str(self.routes),
            "IDENTITY_SECRET": "x" * 32,
        }
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "users", *arguments],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
