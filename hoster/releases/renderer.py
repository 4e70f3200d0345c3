"""What a node is asked to run for a release."""

from hoster.bodies import BodyInvalid
from hoster.deployments import naming
from hoster.deployments.model import AppUrls, Deployment
from hoster.deployments.sources import GitSource, ImageSource
from hoster.releases.model import Release
from hoster.releases.store import ReleaseStore
from hoster.ssh_keys.store import SshKeyStore
from hoster.templates.document import read_stack
from hoster.templates.rendering import BuildRendering, Rendering, render_git, render_image, render_stack
from hoster.templates.stack import APP_HOST, APP_URL
from hoster.templates.store import TemplateStore


class ReleaseRenderer:
    def __init__(
        self, releases: ReleaseStore, templates: TemplateStore, keys: SshKeyStore, urls: AppUrls
    ) -> None:
        self._releases = releases
        self._templates = templates
        self._keys = keys
        self._urls = urls

    async def release(self, release_id: str) -> Release | None:
        return await self._releases.get(release_id)

    async def rendering(self, deployment: Deployment, release: Release) -> Rendering | BuildRendering:
        """Images are those that the release ran with before, if it did. Raises BodyInvalid when what it needs
        is not permitted or not there any more.
        """
        values = (await self._releases.values(release)).texts()
        original = await self._releases.get(release.restores) if release.restores else None
        pins = (original or release).pins
        source = release.source
        if isinstance(source, ImageSource):
            return render_image(source.image, source.port, values, release.resources, pins)
        if isinstance(source, GitSource):
            key_id = source.ssh_key_id
            key = await self._keys.private_key(key_id, deployment.user_id) if key_id else None
            if key_id and key is None:
                raise BodyInvalid.of("source.git.ssh_key_id", "is a key that was deleted")
            return render_git(source, key, values)
        document = await self._templates.revision(source.template_id, source.revision)
        platform = {
            APP_URL: naming.url(deployment.project_id, self._urls.domain, self._urls.port),
            APP_HOST: naming.hosts(deployment.project_id, self._urls.domain)[0],
        }
        stack = read_stack(document.compose)
        return render_stack(stack, {**platform, **values}, release.resources, pins)
