"""What ours is meant to cost, as a share of what others cost in the same run."""

from collections.abc import Iterator, Mapping, Sequence

from tests.bench.peers.contender import Lane
from tests.bench.peers.load import Figures

Place = tuple[Lane, str]

_AT_MOST: tuple[tuple[Lane, float, Place], ...] = (
    (Lane.PLAIN, 0.45, (Lane.PLAIN, "Envoy")),
    (Lane.PLAIN, 2.0, (Lane.PLAIN, "nginx")),
    (Lane.IDENTITY, 0.45, (Lane.IDENTITY, "Envoy")),
    (Lane.IDENTITY, 2.0, (Lane.PLAIN, "nginx")),
    (Lane.BILLING, 0.75, (Lane.BILLING, "nginx + Lua + Redis")),
)


def targets(seen: Mapping[Place, Figures], ours: str) -> list[Sequence[str]]:
    """Empty when nothing can be compared; else a head and a row for each target whose two sides were measured."""
    rows = list(_rows(seen, ours))
    return [("our lane", "their work", "at most", "seen", ""), *rows] if rows else []


def _rows(seen: Mapping[Place, Figures], ours: str) -> Iterator[Sequence[str]]:
    for lane, most, theirs in _AT_MOST:
        if (lane, ours) in seen and theirs in seen:
            share = seen[lane, ours].cpu_us / seen[theirs].cpu_us
            yield (
                str(lane),
                f"{theirs[1]}, {theirs[0]}",
                f"{most:.2f}",
                f"{share:.2f}",
                "reached" if share <= most else "missed",
            )
