"""Amounts of CPU, memory and disk. CPU is counted in thousandths of a core, so that sums are exact."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Resources:
    cpu_millis: int
    memory_mb: int
    disk_mb: int

    @classmethod
    def of(cls, cpu_cores: float, memory_mb: int, disk_mb: int) -> Self:
        return cls(round(cpu_cores * 1000), memory_mb, disk_mb)

    @property
    def cpu_cores(self) -> float:
        return self.cpu_millis / 1000

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            self.cpu_millis + other.cpu_millis, self.memory_mb + other.memory_mb, self.disk_mb + other.disk_mb
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(
            self.cpu_millis - other.cpu_millis, self.memory_mb - other.memory_mb, self.disk_mb - other.disk_mb
        )

    def as_json(self) -> dict[str, float | int]:
        return {"cpu_cores": self.cpu_cores, "memory_mb": self.memory_mb, "disk_mb": self.disk_mb}


NOTHING = Resources(0, 0, 0)
