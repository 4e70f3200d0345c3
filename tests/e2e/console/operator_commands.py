"""What an operator does at the command line of the gateway while the platform runs."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.platform_process import ROOT


@dataclass(frozen=True, slots=True)
class Operator:
    data: Path
    routes: Path

    def set_plan(self, email: str, plan: str) -> None:
        self._users("set-plan", email, plan)

    def promote(self, email: str) -> None:
        self._users("promote", email)

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
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
