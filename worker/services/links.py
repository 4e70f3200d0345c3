"""The environment that a project's next release gets: its own variables, over those of the add-ons linked to it."""

from worker.projects.environment import EnvironmentCipher
from worker.projects.store import ProjectStore
from worker.services.containers import open_credentials
from worker.services.credentials import url_of
from worker.services.store import AddOnStore


class LinkedEnvironment:
    """Links are kept apart from the project's own variables, which are replaced as a whole again and again."""

    def __init__(self, projects: ProjectStore, addons: AddOnStore, cipher: EnvironmentCipher) -> None:
        self._projects = projects
        self._addons = addons
        self._cipher = cipher

    async def of(self, project_id: str) -> bytes | None:
        """Sealed for the project; None when there is nothing. Raises EnvironmentUnreadable."""
        own = await self._projects.environment(project_id)
        linked = await self._addons.linked_to(project_id)
        if not linked:
            return own
        urls = {
            link.variable: url_of(
                link.addon, open_credentials(self._cipher, link.addon.addon_id, link.credentials)
            )
            for link in linked
        }
        return self._cipher.seal(project_id, {**urls, **self._cipher.open(project_id, own)})
