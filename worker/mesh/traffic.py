"""What went through the mesh, counted per project: requests, status classes, bytes and latency."""

from dataclasses import dataclass, field

# Upper bounds of the latency buckets in milliseconds, doubling: 1, 2, 4, ... 262144, and everything above.
_BUCKETS = tuple(2**exponent for exponent in range(19))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestNumbers:
    """Since the agent started. `latency_p95_ms` is the bound of the bucket that holds it: at most twice the truth."""

    total: int
    by_class: dict[str, int]
    request_bytes: int
    response_bytes: int
    latency_mean_ms: float
    latency_p95_ms: float

    def as_json(self) -> dict[str, object]:
        return {
            "total": self.total,
            "status": self.by_class,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "latency_mean_ms": round(self.latency_mean_ms, 3),
            "latency_p95_ms": self.latency_p95_ms,
        }


@dataclass(slots=True)
class _Tally:
    classes: list[int] = field(default_factory=lambda: [0] * 6)
    request_bytes: int = 0
    response_bytes: int = 0
    latency_ms: float = 0.0
    timed: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))


class Traffic:
    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def forwarded(
        self, project_id: str, status: int, request_bytes: int, response_bytes: int, latency_ms: float
    ) -> None:
        tally = self._tally(project_id)
        tally.classes[min(status // 100, 5)] += 1
        tally.request_bytes += request_bytes
        tally.response_bytes += response_bytes
        tally.latency_ms += latency_ms
        tally.timed += 1
        tally.buckets[min(int(latency_ms).bit_length(), len(_BUCKETS))] += 1

    def refused(self, project_id: str, status: int) -> None:
        """Answered by the mesh itself: counted, but neither bytes nor latency are the app's."""
        self._tally(project_id).classes[min(status // 100, 5)] += 1

    def numbers(self, project_id: str) -> RequestNumbers:
        tally = self._tallies.get(project_id) or _Tally()
        return RequestNumbers(
            total=sum(tally.classes),
            by_class={f"{digit}xx": tally.classes[digit] for digit in range(1, 6)},
            request_bytes=tally.request_bytes,
            response_bytes=tally.response_bytes,
            latency_mean_ms=tally.latency_ms / tally.timed if tally.timed else 0.0,
            latency_p95_ms=_p95(tally.buckets, tally.timed),
        )

    def forget(self, project_id: str) -> None:
        """When the project is deleted."""
        self._tallies.pop(project_id, None)

    def _tally(self, project_id: str) -> _Tally:
        return self._tallies.setdefault(project_id, _Tally())


def _p95(buckets: list[int], timed: int) -> float:
    if not timed:
        return 0.0
    seen = 0
    for bound, count in zip(_BUCKETS, buckets, strict=False):
        seen += count
        if seen * 100 >= timed * 95:
            return float(bound)
    return float(2 * _BUCKETS[-1])
