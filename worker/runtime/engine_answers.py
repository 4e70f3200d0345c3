"""What the Docker Engine's JSON means in our words, and the filters that it is asked with. Pure."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from worker.runtime.engine import (
    ContainerListed,
    ContainerSeen,
    EngineEvent,
    ImageListed,
    ImageSeen,
    NetworkSeen,
)

_NAMELESS = "<none>:<none>"


def image_seen(found: Mapping[str, Any]) -> ImageSeen:
    digests = found.get("RepoDigests") or []
    triggers = (found.get("Config") or {}).get("OnBuild") or []
    return ImageSeen(str(found["Id"]), str(digests[0]) if digests else None, tuple(triggers))


def image_listed(found: Mapping[str, Any]) -> ImageListed:
    names = tuple(name for name in found["RepoTags"] or () if name != _NAMELESS)
    return ImageListed(found["Id"], found["Labels"] or {}, names, found.get("ParentId", ""))


def label_filter(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})


def container_seen(found: Mapping[str, Any]) -> ContainerSeen:
    state = found["State"]
    networks = found["NetworkSettings"]["Networks"] or {}
    return ContainerSeen(
        container_id=found["Id"],
        name=found["Name"].removeprefix("/"),
        labels=found["Config"]["Labels"] or {},
        image=found["Image"],
        status=state["Status"],
        running=state["Running"] and not state["Restarting"],
        started_at=state["StartedAt"],
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=found["RestartCount"],
        addresses={name: end["IPAddress"] for name, end in networks.items() if end["IPAddress"]},
        health=(state.get("Health") or {}).get("Status"),
    )


def container_listed(container_id: str, state: str, labels: Mapping[str, str]) -> ContainerListed:
    return ContainerListed(
        container_id,
        labels,
        running=state in {"running", "restarting", "paused"},
        going=state in {"removing", "dead"},
    )


def network_seen(found: Mapping[str, Any]) -> NetworkSeen:
    ranges = (found.get("IPAM") or {}).get("Config") or []
    subnets = tuple(IPv4Network(entry["Subnet"]) for entry in ranges if "." in entry.get("Subnet", ""))
    return NetworkSeen(found["Id"], found["Name"], found.get("Labels") or {}, subnets)


def engine_event(found: Mapping[str, Any]) -> EngineEvent:
    actor = found["Actor"]
    return EngineEvent(found["Action"], actor["ID"], actor["Attributes"], found["timeNano"])
