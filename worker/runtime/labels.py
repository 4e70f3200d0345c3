"""Docker labels: how the worker knows its own. Nothing without our instance label is ever touched."""

INSTANCE = "io.plane.instance"
PROJECT = "io.plane.project"
ORG = "io.plane.org"
SERVICE = "io.plane.service"
RELEASE = "io.plane.release"
"""The id of the deploy that created the container; one deploy makes one release."""
