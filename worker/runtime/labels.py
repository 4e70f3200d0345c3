"""Docker labels: how the worker knows its own. Nothing without our instance label is ever touched."""

from collections.abc import Mapping

INSTANCE = "io.plane.instance"
PROJECT = "io.plane.project"
ORG = "io.plane.org"
SERVICE = "io.plane.service"
RELEASE = "io.plane.release"
"""The id of the deploy that created the container; one deploy makes one release."""
VOLUME = "io.plane.volume"
"""The name of a volume as the project calls it."""
POSITION = "io.plane.position"
"""Where a service stands in the order in which those of its release are started."""
ADDON = "io.plane.addon"
"""The id of the add-on that a container or volume belongs to; these carry no project."""


def owner(labels: Mapping[str, str]) -> str:
    """The project or add-on that a container of ours belongs to; empty for one that belongs to nobody."""
    return labels.get(ADDON) or labels.get(PROJECT, "")
