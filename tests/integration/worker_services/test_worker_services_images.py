"""The image of a service is brought here for it, and goes with it."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.integration.worker_deploys.conftest import running_worker, worker_variables
from tests.integration.worker_deploys.docker_cli import build_image, docker, remove_everything_of
from tests.integration.worker_deploys.registry import Registry
from tests.integration.worker_deploys.running import eventually
from tests.integration.worker_services.conftest import vault
from tests.integration.worker_services.test_worker_services import install, until

pytestmark = pytest.mark.engine


async def test_the_image_of_a_service_stays_with_its_data_and_goes_when_they_go(
    docker_engine: str,
    vault_image: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    session: aiohttp.ClientSession,
) -> None:
    local = f"localhost/worker-services-images:{uuid.uuid4().hex[:12]}"
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {vault_image}\nCOPY Dockerfile /marker\n")
    build_image(folder, local)
    async with Registry().listening() as registry:
        reference = await registry.take(local, "vault")
        docker("rmi", local)
        catalog = tmp_path / "pulled.yaml"
        catalog.write_text(yaml.safe_dump({"vault": vault(reference)}, sort_keys=False))
        variables = worker_variables(docker_engine, tmp_path / "data", free_port)
        async with running_worker({**variables, "WORKER_CATALOG": str(catalog)}, session) as worker:
            service_id = (await install(worker))["service_id"]
            await until(worker, service_id, "running")
            await worker.commander.ok("DELETE", f"/services/{service_id}")
            await worker.commander.ok("POST", "/sync")
            await asyncio.sleep(1)
            assert await _is_here(reference), "the data are kept, and with them what reads them"
            await worker.commander.ok("DELETE", f"/services/{service_id}?volumes=delete")

            async def is_gone() -> bool:
                return not await _is_here(reference)

            await eventually(is_gone)
            assert await _is_here(vault_image), "what was here before"
    await asyncio.to_thread(remove_everything_of, worker.instance)


async def _is_here(reference: str) -> bool:
    return bool((await asyncio.to_thread(docker, "images", "-q", reference)).strip())
