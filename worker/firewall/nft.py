"""The `nft` program. Rules go in through standard input; everything here blocks.

Errors: FirewallUnavailable, RulesetRefused.
"""

import shutil
import subprocess
from dataclasses import dataclass

DEADLINE_S = 10.0

_NOT_OURS = ("Operation not permitted", "Operation not supported", "Protocol not supported")
"""What nft says without CAP_NET_ADMIN, or on a kernel without nf_tables."""


class FirewallUnavailable(Exception):
    """This node has no firewall that the worker may change: the program nft is missing, or it is not allowed to."""


class RulesetRefused(Exception):
    """The kernel of this node does not take these rules; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Nft:
    """`program` is its path; None: whatever PATH leads to when it is needed."""

    program: str | None = None

    def found(self) -> str | None:
        """The path of the program; None when it is not installed."""
        return self.program or shutil.which("nft")

    def check(self, ruleset: str) -> None:
        """Raises FirewallUnavailable, RulesetRefused; changes nothing."""
        done = self._run(["-c", "-f", "-"], ruleset)
        if done.returncode != 0:
            raise _refusal(done.stderr)

    def apply(self, ruleset: str) -> None:
        """In one transaction: all of it or nothing. Raises FirewallUnavailable, RulesetRefused."""
        done = self._run(["-f", "-"], ruleset)
        if done.returncode != 0:
            raise _refusal(done.stderr)

    def has_table(self, table: str) -> bool:
        """Raises FirewallUnavailable."""
        done = self._run(["list", "tables", "inet"], "")
        if done.returncode != 0:
            raise _refusal(done.stderr)
        return f"table inet {table}" in done.stdout.splitlines()

    def _run(self, arguments: list[str], ruleset: str) -> subprocess.CompletedProcess[str]:
        program = self.found()
        if program is None:
            raise FirewallUnavailable("The program nft is not installed on this node.")
        command = [program, *arguments]
        try:
            return subprocess.run(  # noqa: S603 - argv of our own; the rules are rendered from checked values
                command, input=ruleset, capture_output=True, text=True, timeout=DEADLINE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FirewallUnavailable(f"The program nft does not run: {type(error).__name__}.") from error


def _refusal(words: str) -> FirewallUnavailable | RulesetRefused:
    first = words.strip().splitlines()[0] if words.strip() else "no reason given"
    if any(sign in words for sign in _NOT_OURS):
        return FirewallUnavailable(
            "The worker may not change the firewall of this node (CAP_NET_ADMIN, nf_tables)."
        )
    return RulesetRefused(first)
