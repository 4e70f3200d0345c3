"""`python -m tests.bench.operations [EXAMPLES] [--real]`: random orders, crashes and node losses, and whether everything comes right by itself.

Hypothesis draws sequences of orders to a whole Hoster, in between of which Hoster dies in the middle of what it does, and the node is away
or has lost everything. Without `--real` the node is a worker that keeps the contract, which also fails deploys or takes its time. With it, it
is a worker process on the engine: it is killed in the middle of orders and started again, and its containers are removed behind its
back. What must be so in the end is told in `tests.bench.random_orders`.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from typing_extensions import override

from tests.bench.operated_nodes import RealNode, StandIn
from tests.bench.random_orders import AT_MOST, TAKEN_OR_NOT, Operations
from tests.bench.table import line

EXAMPLES, STEPS = 60, 25
REAL_EXAMPLES, REAL_STEPS = 4, 12
LOG_TAIL = 8000

_HOW = settings(deadline=None, suppress_health_check=list(HealthCheck))
_T = TypeVar("_T")

_ORDERS = {
    "start": ("POST", "/start"),
    "stop": ("POST", "/stop"),
    "restart": ("POST", "/restart"),
    "redeploy": ("POST", "/redeploy"),
    "delete": ("DELETE", "?volumes=delete"),
}


class OnStandIn(Operations):
    def __init__(self) -> None:
        self.stand_in = StandIn()
        super().__init__(self.stand_in)

    @rule(
        reason=st.sampled_from([None, None, "it does not come up"]), seconds=st.sampled_from([0.0, 0.0, 0.5])
    )
    def deploys_fail_or_take_time(self, reason: str | None, seconds: float) -> None:
        self.stand_in.worker.fail_deploys_with, self.stand_in.worker.deploy_s = reason, seconds


class OnRealNode(Operations):
    settles_within_s = 90.0  # a worker looks at what has failed every 30 s

    def __init__(self) -> None:
        self.real = RealNode()
        super().__init__(self.real)

    @override
    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return super().run(work)
        except Exception:
            line(self.real.log[-LOG_TAIL:])
            raise

    @precondition(lambda self: self.ids and not self.away)
    @rule(
        which=st.integers(0, AT_MOST),
        order=st.sampled_from(sorted(_ORDERS)),
        after=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]),
    )
    def worker_is_killed_during(self, which: int, order: str, after: float) -> None:
        self.run(self._kill_during(*_ORDERS[order], which, after))

    async def _kill_during(self, method: str, path: str, which: int, after: float) -> None:
        answer = await self._ask(method, self._one(which) + path)
        assert answer.status in TAKEN_OR_NOT, answer.body
        await asyncio.sleep(after)
        await self.real.go_away()
        await self.real.come_back()

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, AT_MOST))
    def containers_are_removed_by_hand(self, which: int) -> None:
        self.run(self.real.lose_containers(self.projects[self._id(which)]))


def drive(examples: int, steps: int) -> None:
    """Raises AssertionError with the shortest sequence that goes wrong."""
    how = settings(_HOW, max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(OnStandIn, settings=how)


def drive_real(examples: int, steps: int) -> None:
    """Raises with a sequence that goes wrong, and prints each step as it is taken: a real node does not do the same twice, so that a
    sequence is neither shortened nor kept for another time. To begin a node for less than all steps is not worth its while either.
    """
    how = settings(
        _HOW,
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        database=None,
        verbosity=Verbosity.debug,
    )
    run_state_machine_as_test(OnRealNode, settings=how, _min_steps=steps)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.operations")
    parser.add_argument("examples", nargs="?", type=int)
    parser.add_argument("--real", action="store_true", help="on a worker process and the engine")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    steps = REAL_STEPS if given.real else STEPS
    examples = given.examples or (REAL_EXAMPLES if given.real else EXAMPLES)
    (drive_real if given.real else drive)(examples, steps)
    line(f"{examples} sequences of up to {steps} orders and mishaps: all came right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
