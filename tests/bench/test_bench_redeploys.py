"""The commands of `tests/bench` that redeploy an app, in short."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.many_redeploys import measure as measure_many
from tests.bench.nginx_app import nginx_image
from tests.bench.redeploys import measure as measure_redeploys

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def nginx(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert docker_engine
    with nginx_image(tmp_path_factory.mktemp("nginx")) as image:
        yield image


async def test_no_request_is_lost_while_an_app_is_redeployed(nginx: str, tmp_path: Path) -> None:
    found = await measure_redeploys(nginx, tmp_path, 3, 2000)

    assert found.load.failed == []
    assert set(found.load.answered) == {"kept", "new connection", "posted", "slow"}


async def test_redeploys_leave_nothing_behind(nginx: str, tmp_path: Path) -> None:
    found = await measure_many(nginx, tmp_path, 8)

    assert found.is_bounded(), found
