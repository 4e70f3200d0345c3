"""The compare-and-swap that is the only way to change the state of a deployment, and the writing down of what happened."""

from dataclasses import dataclass

import aiosqlite

from hoster.deployments.model import Happening
from hoster.deployments.transitions import InvalidTransition, Move, Repeat, State, Trigger, decide
from shared.ids import new_id

EVENTS_KEPT = 1000
"""Of each deployment: as many as its list shows at most."""


class StateChanged(Exception):
    """Between reading a state and writing the next, someone else wrote: the compare-and-swap lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a change of state writes besides the state. None leaves a column as it is, but for `reason`, which is replaced.

    `kept`: what runs afterwards ran before, and was not started anew. `given_up`: it failed without anyone knowing what its node would have
    made of it; since when is kept while that is `resumed`.
    """

    reason: str | None = None
    node_id: str | None = None
    release_id: str | None = None
    by_drift: bool = False
    kept: bool = False
    given_up: bool = False
    resumed: bool = False


async def move(
    connection: aiosqlite.Connection, deployment_id: str, step: Move, effects: Effects, now: float
) -> None:
    """The compare-and-swap, with what happened; raises StateChanged when the state is not `step.source` any more."""
    cursor = await connection.execute(
        "UPDATE deployments SET status = :target, status_reason = :reason, updated_at = :now,"
        " node_id = coalesce(:node, node_id), release_id = coalesce(:release, release_id),"
        " failed_by_drift = (:target = 'failed' AND :drift),"
        " given_up_at = CASE WHEN :given_up THEN coalesce(given_up_at, :now) WHEN :resumed THEN given_up_at END,"
        " started_at = CASE WHEN :target = 'running' AND NOT :kept THEN :now ELSE started_at END,"
        " stopped_at = CASE WHEN :target = 'stopped' THEN :now ELSE stopped_at END"
        " WHERE id = :id AND status = :source",
        {
            "target": step.target.value,
            "source": step.source.value,
            "reason": effects.reason,
            "node": effects.node_id,
            "release": effects.release_id,
            "drift": effects.by_drift,
            "kept": effects.kept,
            "given_up": effects.given_up,
            "resumed": effects.resumed,
            "id": deployment_id,
            "now": now,
        },
    )
    if cursor.rowcount != 1:
        raise StateChanged(f"{deployment_id} is not {step.source} any more")
    message = f"{step.source} -> {step.target}" + (f": {effects.reason}" if effects.reason else "")
    await write_happening(
        connection,
        deployment_id,
        Happening(type=f"deployment_{step.target.value}", message=message, origin=new_id("move_"), at=now),
    )


async def forget_reason(connection: aiosqlite.Connection, deployment_id: str, now: float) -> None:
    """After an order that went well where it was: what failed before it is not the newest any more."""
    await connection.execute(
        "UPDATE deployments SET status_reason = NULL, updated_at = ? WHERE id = ? AND status_reason IS NOT NULL",
        (now, deployment_id),
    )


async def advance(
    connection: aiosqlite.Connection, deployment_id: str, trigger: Trigger, effects: Effects, now: float
) -> bool:
    """What a job found out, applied (or known already). False when the deployment has moved on to where it does not matter."""
    rows = await connection.execute_fetchall("SELECT status FROM deployments WHERE id = ?", (deployment_id,))
    try:
        step = decide(State(next(iter(rows))["status"]), trigger)
        if isinstance(step, Repeat):
            return True
        await move(connection, deployment_id, step, effects, now)
    except (InvalidTransition, StateChanged):
        return False
    return True


async def write_happening(connection: aiosqlite.Connection, deployment_id: str, happening: Happening) -> None:
    """The oldest ones that nobody could be shown any more go."""
    await connection.execute(
        "INSERT INTO deployment_events (deployment_id, type, message, origin, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (deployment_id, origin) DO NOTHING",
        (deployment_id, happening.type, happening.message, happening.origin, happening.at),
    )
    await connection.execute(
        "DELETE FROM deployment_events WHERE deployment_id = :id AND seq <="
        " (SELECT seq FROM deployment_events WHERE deployment_id = :id ORDER BY seq DESC LIMIT 1 OFFSET :kept)",
        {"id": deployment_id, "kept": EVENTS_KEPT},
    )
