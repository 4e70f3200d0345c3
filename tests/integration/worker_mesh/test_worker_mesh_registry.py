"""What the nodes tell each other through the registry: hosts that stop, move, are claimed twice, and a registry that is away."""

import asyncio

import aiohttp
from redis.asyncio import Redis as AsyncRedis

from tests.integration.worker_mesh.echo_app import EchoApp
from tests.integration.worker_mesh.eventually import eventually
from tests.integration.worker_mesh.peer_nodes import DOMAIN, PRIVATE, PUBLIC, Pair, known, peer_node, unknown
from tests.integration.worker_mesh.stoppable_redis import StoppableRedis
from tests.integration.worker_mesh.test_worker_mesh import route
from tests.integration.worker_mesh.token_issuer import TokenIssuer
from worker.mesh.table import Visibility


async def test_the_registry_says_where_each_host_is_served(pair: Pair) -> None:
    entry = await pair.redis.hgetall(f"service:{PRIVATE}.zexio.internal")

    assert (entry["worker_ip"], entry["port"], entry["org_id"]) == ("127.0.0.1", str(pair.home.port), "org_a")
    assert 0 < await pair.redis.ttl(f"service:{PRIVATE}.zexio.internal") <= 30


async def test_what_is_stopped_or_deleted_is_told_alike_by_both_nodes(pair: Pair) -> None:
    host = f"{PUBLIC}.zexio.app"
    assert await pair.edge.status(host) == (200, "echo")

    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    assert await pair.edge.status(host) == (503, "project_unavailable")
    pair.home.table.drop(PUBLIC)

    await eventually(lambda: unknown(pair.redis, host, DOMAIN))
    assert await pair.edge.status(host) == (404, "unknown_host")


async def test_a_project_that_moves_is_found_where_it_runs(pair: Pair) -> None:
    host = f"{PUBLIC}.zexio.app"
    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    pair.edge.table.put(route(PUBLIC, {"web": pair.app}, visibility=Visibility.PUBLIC))

    async def says_edge() -> bool:
        return await pair.redis.hget(f"service:{host}", "port") == str(pair.edge.port)

    await eventually(says_edge)
    pair.home.table.put(route(PUBLIC, {}, visibility=Visibility.PUBLIC))
    await asyncio.sleep(0.3)
    assert await says_edge()


async def test_a_host_of_another_organisation_is_not_taken_over(pair: Pair) -> None:
    pair.edge.table.put(
        route("thief-eeee5555", {"web": pair.app}, org_id="org_b", public_hosts=frozenset({DOMAIN}))
    )
    await eventually(lambda: known(pair.redis, "thief-eeee5555.zexio.app"))

    assert await pair.redis.hget(f"service:{DOMAIN}", "org_id") == "org_a"


async def test_a_node_that_ends_takes_its_hosts_out_of_the_registry(
    redis_url: str, http: aiohttp.ClientSession
) -> None:
    async with (
        AsyncRedis.from_url(redis_url) as redis,
        TokenIssuer().serving() as keys_url,
        EchoApp().listening() as app,
    ):
        async with peer_node("home", redis_url, keys_url, http) as home:
            home.table.put(route(PRIVATE, {"web": app}))
            await eventually(lambda: known(redis, f"{PRIVATE}.zexio.app"))

        assert await redis.keys("service:*") == []


async def test_without_the_registry_own_apps_go_on_known_ones_too_and_others_are_503(
    http: aiohttp.ClientSession, stoppable_redis: StoppableRedis
) -> None:
    issuer = TokenIssuer()
    async with (
        AsyncRedis.from_url(stoppable_redis.url) as redis,
        issuer.serving() as keys_url,
        EchoApp().listening() as app,
        peer_node("home", stoppable_redis.url, keys_url, http) as home,
        peer_node("edge", stoppable_redis.url, keys_url, http) as edge,
    ):
        home.table.put(route(PUBLIC, {"web": app}, visibility=Visibility.PUBLIC))
        await eventually(lambda: known(redis, f"{PUBLIC}.zexio.app"))
        assert await edge.status(f"{PUBLIC}.zexio.app") == (200, "echo")
        await redis.aclose()

        for harm in (stoppable_redis.freeze, stoppable_redis.kill):
            harm()
            for _second in range(3):
                assert await home.status(f"{PUBLIC}.zexio.app") == (200, "echo")
                assert await edge.status(f"{PUBLIC}.zexio.app") == (200, "echo")
                async with asyncio.timeout(30), edge.ask_once("other.zexio.app") as response:
                    assert (response.status, (await response.json())["code"]) == (503, "registry_unavailable")
                await asyncio.sleep(1)
