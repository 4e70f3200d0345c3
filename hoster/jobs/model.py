"""A job: work for one deployment, recorded in the transaction that made it necessary."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hoster.deployments.transitions import Trigger
from hoster.releases.model import Deployed


class Kind(StrEnum):
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    REDEPLOY = "redeploy"
    DELETE = "delete"


class Volumes(StrEnum):
    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`attempts` counts this one. `unreachable_since` is when the node was first found silent, without an answer since.

    `release_id` is what a start or redeploy deploys; None when a start only starts again what the node has.
    """

    id: str
    deployment_id: str
    kind: Kind
    volumes: Volumes
    release_id: str | None
    attempts: int
    deadline_at: float
    unreachable_since: float | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The job has ended, and this is what it found out. `deployed` is set when the node runs a release that it made for the job.

    Of a failure: `given_up` when nobody knows what the node would have made of it, `may_recover` when what failed is what ran before, so
    that it is well again as soon as the node shows it running.
    """

    trigger: Trigger
    reason: str | None = None
    deployed: Deployed | None = None
    given_up: bool = False
    may_recover: bool = False


@dataclass(frozen=True, slots=True)
class Superseded:
    """The deployment has moved on to something else."""


class Heard(StrEnum):
    """Of the node. SILENT: nothing. TROUBLED: that it cannot do now what it was told. ANSWERED: how it is with the deployment."""

    SILENT = "silent"
    TROUBLED = "troubled"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Again:
    """Not done yet."""

    reason: str
    heard: Heard


Outcome = Settled | Superseded | Again


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """When a job is tried again, and what is known by then."""

    not_before: float
    deadline_at: float
    unreachable_since: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. How long work may take, and how often it is tried again.

    A start or restart gives up at its deadline, or when its node has been silent for `unreachable_s`. A stop or redeploy gives up at its
    deadline only when the node has said what runs: until then nobody knows. A stop has all of its time from then on, a redeploy once the
    node is not silent any more. A delete never gives up. Every `compare_s`, what nodes show is compared with what is recorded; what was given
    up without knowing is then tried again, for `resume_s` from when it was given up first. An installation gives up when its machine is away
    for `machine_away_s`, in which one that was just ordered boots.
    """

    start_s: float = 900.0
    stop_s: float = 180.0
    unreachable_s: float = 90.0
    machine_away_s: float = 30.0
    first_retry_s: float = 0.5
    longest_retry_s: float = 15.0
    poll_s: float = 0.25
    compare_s: float = 30.0
    resume_s: float = 86_400.0


_TIME_STANDS_STILL: Mapping[Kind, frozenset[Heard]] = {
    Kind.STOP: frozenset({Heard.SILENT, Heard.TROUBLED}),
    # What a node in trouble cannot do for so long need not be done: the release before goes on.
    Kind.REDEPLOY: frozenset({Heard.SILENT}),
}
"""What only the node can end, and while it is heard like this its time does not run."""


def deadline_of(kind: Kind, patience: Patience, now: float) -> float:
    """A delete has none that matters; the column holds the moment it was asked for."""
    allowed_s = {
        Kind.START: patience.start_s,
        Kind.STOP: patience.stop_s,
        Kind.RESTART: patience.start_s,
        Kind.REDEPLOY: patience.start_s,
        Kind.DELETE: 0.0,
    }
    return now + allowed_s[kind]


def deadline_after(job: Job, outcome: Again, patience: Patience, now: float) -> float:
    """What waits for its node has all of its time once the node is heard; else it would be given up as soon as it can begin."""
    if outcome.heard in _TIME_STANDS_STILL.get(job.kind, ()):
        return deadline_of(job.kind, patience, now)
    return job.deadline_at


def retry_in(attempts: int, patience: Patience) -> float:
    return float(min(patience.longest_retry_s, patience.first_retry_s * 2 ** min(attempts - 1, 16)))


def gives_up(job: Job, outcome: Again, patience: Patience, now: float) -> bool:
    if job.kind is Kind.DELETE:
        return False
    if job.kind in _TIME_STANDS_STILL:
        return outcome.heard is Heard.ANSWERED and now >= job.deadline_at
    is_silent = outcome.heard is Heard.SILENT and job.unreachable_since is not None
    silent_s = now - (job.unreachable_since or 0.0) if is_silent else 0.0
    return now >= job.deadline_at or silent_s >= patience.unreachable_s
