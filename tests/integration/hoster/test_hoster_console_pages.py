"""How the console's files are served, with a small build of the test's own."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hoster.problems import PROBLEMS
from hoster.web.pages import PAGES, ROUTES, Pages, read_pages
from shared.problem_middleware import problem_middleware

SCRIPT = b"export const here = true;\n" * 40


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html><title>Console</title>")
    (tmp_path / "favicon.ico").write_bytes(b"an icon")
    (assets / "index-abc.js").write_bytes(SCRIPT)
    (assets / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "index-abc.js.br").write_bytes(b"as brotli")
    return tmp_path


@pytest.fixture
def built(dist: Path) -> Pages:
    return read_pages(dist)


@pytest.fixture
async def console(built: Pages) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with _serving(built) as client:
        yield client


@pytest.fixture
def unbuilt(tmp_path: Path) -> Pages:
    return read_pages(tmp_path / "nothing")


def _serving(pages: Pages) -> TestClient[web.Request, web.Application]:
    app = web.Application(middlewares=[problem_middleware(PROBLEMS, lambda: "req_1")])
    app[PAGES] = pages
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
    return TestClient(TestServer(app), auto_decompress=False)


async def test_any_place_in_the_console_is_its_page_and_is_never_kept(
    console: TestClient[web.Request, web.Application],
) -> None:
    for path in ("/", "/deployments/dep_1/logs", "/nodes"):
        answer = await console.get(path)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"as brotli"),
        ("gzip", "gzip", gzip.compress(SCRIPT)),
        ("br;q=0, gzip;q=0.5", "gzip", gzip.compress(SCRIPT)),
        ("*", "br", b"as brotli"),
        ("identity", None, SCRIPT),
        ("gzip;q=nonsense", None, SCRIPT),
        ("", None, SCRIPT),
    ],
)
async def test_an_asset_is_kept_for_ever_in_the_smallest_form_that_the_client_takes(
    console: TestClient[web.Request, web.Application], accepted: str, coding: str | None, body: bytes
) -> None:
    answer = await console.get("/assets/index-abc.js", headers={"Accept-Encoding": accepted})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers.get("Content-Encoding") == coding
    received = await answer.read()
    if coding == "gzip":
        received, body = gzip.decompress(received), gzip.decompress(body)
    assert received == body


@pytest.mark.parametrize(
    "path",
    [
        "/assets/other.js",
        "/assets/index-abc.js.br",
        "/assets/..%2findex.html",
        "/assets/of/nothing",
        "/nodes/favicon.ico",
        "/robots.txt",
        "/index.html",
    ],
)
async def test_a_file_that_is_not_there_is_not_the_page(
    console: TestClient[web.Request, web.Application], path: str
) -> None:
    answer = await console.get(path)
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert (await answer.json())["code"] == "not_found"


async def test_what_browsers_ask_for_by_themselves_is_there(
    console: TestClient[web.Request, web.Application],
) -> None:
    answer = await console.get("/favicon.ico")
    assert answer.headers["Content-Type"] == "image/vnd.microsoft.icon"
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert await answer.read() == b"an icon"


async def test_a_console_that_was_not_built_says_how_it_is(unbuilt: Pages) -> None:
    async with _serving(unbuilt) as console:
        answer = await console.get("/deployments")
        assert answer.status == 503
        problem = await answer.json()
        assert problem["code"] == "console_not_built"
        assert "make console" in problem["detail"]
