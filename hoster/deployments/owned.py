"""Finding the deployment that an order is about, inside the transaction of the order, and what every order checks."""

from collections.abc import Callable

import aiosqlite

from hoster.deployments.model import Deployment
from hoster.deployments.placement import EngineUnavailable
from hoster.deployments.rows import read
from hoster.deployments.sources import TemplateSource
from hoster.nodes.store import candidates
from hoster.templates.document import read_stack
from hoster.templates.store import TemplateStore
from hoster.viewer import Viewer

Check = Callable[[Deployment], None]
"""Made of the deployment as it is in the transaction; raises to refuse the order."""


class DeploymentNotFound(Exception):
    """No such deployment, or not this viewer's."""


async def owned(connection: aiosqlite.Connection, deployment_id: str, viewer: Viewer) -> Deployment:
    """Raises DeploymentNotFound."""
    deployment = await read(connection, deployment_id, viewer.user_id)
    if deployment is None:
        raise DeploymentNotFound
    return deployment


async def check_engine(connection: aiosqlite.Connection, deployment: Deployment, now: float) -> None:
    """For an order to the node where the deployment already lives. Raises EngineUnavailable."""
    offers = await candidates(connection, deployment.user_id, deployment.node_id, now)
    if any(offer.online and not offer.engine_ok for offer in offers):
        raise EngineUnavailable("The container engine of the node does not answer. Try again shortly.")


async def check_policy(templates: TemplateStore, deployment: Deployment) -> None:
    """What was permitted when the template was written need not be permitted today. Raises BodyInvalid."""
    if isinstance(deployment.source, TemplateSource):
        document = await templates.revision(deployment.source.template_id, deployment.source.revision)
        read_stack(document.compose)
