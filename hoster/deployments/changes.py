"""What an owner may change of a deployment. What runs is not touched: variables, visibility and the template's revision wait for the
next redeploy or start, and are shown as `pending_changes` until then.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from hoster.bodies import BodyInvalid
from hoster.deployments.limits import Usage, check_capabilities, check_limits
from hoster.deployments.model import Deployment, Visibility
from hoster.deployments.owned import Check, owned
from hoster.deployments.port_variable import check_port_variable
from hoster.deployments.resources import Resources
from hoster.deployments.settings import read_values, write_values
from hoster.deployments.sources import TemplateSource
from hoster.deployments.store import usage_of
from hoster.templates.document import read_stack
from hoster.templates.model import HIDDEN, Scalar, TemplateDocument
from hoster.templates.passwords import new_password
from hoster.templates.store import TemplateStore
from hoster.templates.variables import Values, plain, resolve
from hoster.vault import Vault
from hoster.viewer import Viewer
from shared.clock import Clock
from shared.database import Database

Variables = Mapping[str, Scalar | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """None leaves a field as it is. Of `variables`, those named are set; None sets one back to the template's default."""

    name: str | None
    visibility: Visibility | None
    template_revision: int | None
    variables: Variables


class DeploymentChanges:
    def __init__(self, database: Database, templates: TemplateStore, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._templates = templates
        self._vault = vault
        self._clock = clock

    async def apply(self, viewer: Viewer, deployment_id: str, change: Change, check: Check) -> Deployment:
        """What changes nothing leaves everything as it is, `updated_at` too. Raises DeploymentNotFound, BodyInvalid,
        PlanLimitReached, and what `check` raises.
        """
        async with self._database.transaction() as connection:
            before = await owned(connection, deployment_id, viewer)
            check(before)
            document = await self._document(viewer, before, change)
            check_port_variable(before.source, change.variables)
            rewritten = False
            if change.variables or change.template_revision is not None:
                rewritten = await self._set_values(connection, before, document, change.variables)
            if document is not None and change.template_revision is not None:
                await _set_revision(connection, viewer, before, document, change.template_revision)
            await connection.execute(
                "UPDATE deployments SET name = coalesce(:name, name), folded_name = coalesce(:folded, folded_name),"
                " visibility = coalesce(:visibility, visibility) WHERE id = :id",
                {
                    "name": change.name,
                    "folded": change.name and change.name.casefold(),
                    "visibility": change.visibility,
                    "id": deployment_id,
                },
            )
            after = await owned(connection, deployment_id, viewer)
            if not rewritten and after == before:
                return before
            await connection.execute(
                "UPDATE deployments SET updated_at = ? WHERE id = ?", (self._clock.now(), deployment_id)
            )
            return await owned(connection, deployment_id, viewer)

    async def _document(
        self, viewer: Viewer, deployment: Deployment, change: Change
    ) -> TemplateDocument | None:
        """Of the revision that it shall have; None for a deployment without a template. Raises BodyInvalid."""
        source = deployment.source
        if not isinstance(source, TemplateSource):
            if change.template_revision is not None:
                raise BodyInvalid.of(
                    "template_revision", "belongs to a deployment that was made from a template"
                )
            return None
        wanted = change.template_revision or source.revision
        if wanted != source.revision:
            template = await self._templates.find(source.template_id, viewer.user_id)
            if template is None or wanted > template.revision:
                raise BodyInvalid.of("template_revision", "is not a revision of this deployment's template")
        document = await self._templates.revision(source.template_id, wanted)
        read_stack(document.compose)
        return document

    async def _set_values(
        self,
        connection: aiosqlite.Connection,
        deployment: Deployment,
        document: TemplateDocument | None,
        changes: Variables,
    ) -> bool:
        """Whether any is another than before: of a password, nothing that is shown would tell."""
        former = await read_values(connection, self._vault, deployment.id)
        values = _changed(former, document, changes)
        if values.same_as(former):
            return False
        await write_values(connection, self._vault, deployment.id, values, former)
        return True


DEPLOYMENT_CHANGES = web.AppKey("deployment_changes", DeploymentChanges)


def _changed(former: Values, document: TemplateDocument | None, changes: Variables) -> Values:
    """Values of variables that a new revision has no more are dropped. `***` is what is shown of a password, and leaves it."""
    kept: dict[str, Scalar] = {**former.shown, **former.secret}
    declared = None if document is None else {variable.name for variable in document.variables}
    wanted = {name: value for name, value in kept.items() if declared is None or name in declared}
    for name, value in changes.items():
        if value is None:
            wanted.pop(name, None)
        elif not (value == HIDDEN and name in former.secret):
            wanted[name] = value
    if document is None:
        return plain(wanted)
    return resolve(document.variables, wanted, new_password)


async def _set_revision(
    connection: aiosqlite.Connection,
    viewer: Viewer,
    deployment: Deployment,
    document: TemplateDocument,
    revision: int,
) -> None:
    """Raises BodyInvalid or PlanLimitReached."""
    if not document.required_capabilities <= deployment.required_capabilities:
        raise BodyInvalid.of("template_revision", "needs capabilities that the node was not chosen for")
    check_capabilities(viewer.limits, document.required_capabilities)
    await check_growth(connection, viewer, deployment, document.resources)
    await connection.execute(
        "UPDATE deployments SET template_revision = ?, cpu_millis = ?, memory_mb = ?, disk_mb = ? WHERE id = ?",
        (
            revision,
            document.resources.cpu_millis,
            document.resources.memory_mb,
            document.resources.disk_mb,
            deployment.id,
        ),
    )


async def check_growth(
    connection: aiosqlite.Connection, viewer: Viewer, deployment: Deployment, resources: Resources
) -> None:
    """Whether the plan has room for the deployment with other resources. Raises PlanLimitReached."""
    if resources == deployment.resources:
        return
    usage = await usage_of(connection, viewer.user_id)
    others = Usage(usage.deployments - 1, usage.resources - deployment.resources)
    check_limits(viewer.limits, others, resources)
