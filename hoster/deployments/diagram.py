"""`python -m hoster.deployments.diagram` draws the states of a deployment from the table that decides about them (Mermaid)."""

import sys
from pathlib import Path

from hoster.deployments.transitions import TRANSITIONS, State, Trigger

FILE = Path(__file__).with_name("states.md")

_HEAD = """\
# The states of a deployment

Drawn from `transitions.py` by `python -m hoster.deployments.diagram > hoster/deployments/states.md`. Orders of the owner are in
capitals; the rest is what jobs and nodes find out.
"""
_ORDERS = frozenset(
    {Trigger.START, Trigger.STOP, Trigger.RESTART, Trigger.REDEPLOY, Trigger.ROLLBACK, Trigger.DELETE}
)


def diagram() -> str:
    arrows: dict[tuple[State, State], list[Trigger]] = {}
    for (source, trigger), target in TRANSITIONS.items():
        arrows.setdefault((source, target), []).append(trigger)
    lines = [
        f"    {source} --> {target}: {', '.join(_label(trigger) for trigger in triggers)}"
        for (source, target), triggers in sorted(arrows.items(), key=_in_order_of_states)
    ]
    return "\n".join(
        [
            _HEAD,
            "```mermaid",
            "stateDiagram-v2",
            f"    [*] --> {State.PENDING}",
            *lines,
            f"    {State.DELETED} --> [*]",
            "```",
            "",
        ]
    )


def _label(trigger: Trigger) -> str:
    return trigger.value.upper() if trigger in _ORDERS else trigger.value


def _in_order_of_states(arrow: tuple[tuple[State, State], list[Trigger]]) -> tuple[int, int]:
    states = list(State)
    (source, target), _ = arrow
    return states.index(source), states.index(target)


if __name__ == "__main__":
    sys.stdout.write(diagram())
