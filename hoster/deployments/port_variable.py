"""`PORT` tells an app where to listen. The platform sets it to the port that visitors are sent to, which the source names: an app that
was told another one would run and never be reached.
"""

from collections.abc import Mapping

from hoster.bodies import BodyInvalid
from hoster.deployments.sources import Source, TemplateSource
from hoster.templates.model import Scalar
from hoster.templates.variables import as_text

PORT = "PORT"


def check_port_variable(source: Source, given: Mapping[str, Scalar | None]) -> None:
    """What a template calls PORT is its author's to say. Raises BodyInvalid."""
    port = given.get(PORT)
    if port is None or isinstance(source, TemplateSource) or as_text(port) == str(source.port):
        return
    raise BodyInvalid.of(
        f"variables.{PORT}",
        f"is set by the platform to the port of the source, {source.port}, where visitors are sent;"
        " for an app that listens elsewhere, deploy it with that as source.port",
    )
