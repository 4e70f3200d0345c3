"""What Docker's builder is asked, and what it answers, in our words. Pure.

Facts (the classic builder of the build API): every step ends with a line ` ---> <12 hex>` naming the image it ended with; the line after
`FROM` names the base image, unless that has triggers, which are announced by `# Executing <n> build trigger(s)` and end like steps. A step that
runs something says ` ---> Running in <12 hex>`, naming its container, before it starts that. A pulled base image is announced by `Status: Downloaded
newer image for <name>`. What a step prints on standard error is coloured red. A failure is an object with `error`, after which nothing comes.

It takes memory, CPU, ulimits and a network for its containers, and no limit of processes, no capabilities and no security options: the first is
set on each container as it is announced (`docker_engine`), the others stay as the engine gives them to any container.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from worker.runtime.engine import BuildFailed, BuildMessage, BuildOrder

_MEGABYTE = 1024 * 1024
_CPU_PERIOD_US = 100_000
_LAYER = re.compile(r" ---> ([0-9a-f]{12})")
_RUNNING = re.compile(r" ---> Running in ([0-9a-f]{12})")
_TRIGGERS = re.compile(r"# Executing \d+ build triggers?")
_FROM = re.compile(r"Step \d+/\d+ : FROM ", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PULLED = "Status: Downloaded newer image for "


def build_parameters(order: BuildOrder) -> dict[str, str]:
    """The query of Docker's `POST /build`."""
    memory = str(order.memory_mb * _MEGABYTE)
    return {
        "t": order.tag,
        "dockerfile": order.dockerfile,
        "labels": json.dumps(dict(order.labels)),
        "networkmode": order.network,
        "memory": memory,
        "memswap": memory,
        "cpuperiod": str(_CPU_PERIOD_US),
        "cpuquota": str(round(order.cpu * _CPU_PERIOD_US)),
        "ulimits": json.dumps([{"Name": "core", "Soft": 0, "Hard": 0}]),
        **_cache_parameters(order),
        "rm": "1",
        "forcerm": "1",
    }


def _cache_parameters(order: BuildOrder) -> dict[str, str]:
    """The engine's cache is that of everybody who builds here, unless it is told which images to take steps from."""
    return {"cachefrom": json.dumps(list(order.cache))} if order.cache else {"nocache": "1"}


class BuildOutput:
    """Folds the stream of JSON lines, however it is cut, into messages."""

    def __init__(self) -> None:
        self._rest = b""
        self._base = False

    def feed(self, octets: bytes) -> Iterator[BuildMessage]:
        """Raises BuildFailed."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            if line.strip():
                yield from self._message(json.loads(line))

    def _message(self, found: Mapping[str, Any]) -> Iterator[BuildMessage]:
        if "error" in found:
            raise BuildFailed(str(found["error"]))
        if "ID" in (found.get("aux") or {}):
            yield BuildMessage(image_id=found["aux"]["ID"])
        status = str(found.get("status", ""))
        if status.startswith(_PULLED):
            yield BuildMessage(status, pulled=status.removeprefix(_PULLED))
        for text in _COLOUR.sub("", str(found.get("stream", ""))).splitlines():
            yield self._line(text)

    def _line(self, text: str) -> BuildMessage:
        layer = _LAYER.fullmatch(text)
        if layer is not None:
            message = BuildMessage(text, layer=layer[1], base=self._base)
            self._base = False
            return message
        triggers = _TRIGGERS.fullmatch(text) is not None
        # Other lines between a FROM and its image do not end the step.
        self._base = _FROM.match(text) is not None or (
            self._base and not triggers and not text.startswith("Step ")
        )
        running = _RUNNING.fullmatch(text)
        return BuildMessage(text, triggers=triggers, container=None if running is None else running[1])
