"""The console that browsers get: read once at start, served from memory under a strict content policy.

`npm run build` makes `dist` and compresses each file in it beforehand. Names of assets carry a hash of their content, so a browser
never asks twice; the page that names them is asked for each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from hoster.access import Access, Route
from hoster.web.coding import chosen_coding

DIST = Path(__file__).with_name("dist")
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_SUFFIXES = {"br": ".br", "gzip": ".gz"}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_DAY = "public, max-age=86400"


class ConsoleNotBuilt(Exception):
    """The pages were not made: `make console` makes them. The API works without them."""


@dataclass(frozen=True, slots=True)
class Asset:
    """`codings` holds the compressed forms by their name in HTTP."""

    content_type: str
    body: bytes
    codings: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pages:
    """`index` is None where the console is not built. `fixed` are the files that browsers ask for by a name of their own choice, such
    as `favicon.ico`.
    """

    index: Asset | None
    assets: Mapping[str, Asset]
    fixed: Mapping[str, Asset]


PAGES = web.AppKey("pages", Pages)


def read_pages(folder: Path = DIST) -> Pages:
    index = folder / "index.html"
    if not index.is_file():
        return Pages(None, {}, {})
    fixed = _read_all(folder)
    return Pages(fixed.pop(index.name), _read_all(folder / "assets"), fixed)


def _read_all(folder: Path) -> dict[str, Asset]:
    files = (file for file in sorted(folder.iterdir()) if file.is_file() and file.suffix in _TYPES)
    return {file.name: _read(file) for file in files}


def _read(file: Path) -> Asset:
    compressed = {coding: file.with_name(file.name + suffix) for coding, suffix in _SUFFIXES.items()}
    codings = {coding: path.read_bytes() for coding, path in compressed.items() if path.is_file()}
    return Asset(_TYPES[file.suffix], file.read_bytes(), codings)


async def page(request: web.Request) -> web.Response:
    """Any path: which view it means is for the console to say. A name with an ending is a file, which is there or not."""
    fixed = request.app[PAGES].fixed.get(request.path[1:])
    if fixed is not None:
        return _served(request, fixed, _FOR_A_DAY)
    if "." in request.path.rpartition("/")[2]:
        raise web.HTTPNotFound
    index = request.app[PAGES].index
    if index is None:
        raise ConsoleNotBuilt
    return _served(request, index, "no-store")


async def asset(request: web.Request) -> web.Response:
    found = request.app[PAGES].assets.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return _served(request, found, _FOR_EVER)


def _served(request: web.Request, found: Asset, cache_control: str) -> web.Response:
    coding = chosen_coding(request.headers.get("Accept-Encoding", ""), found.codings)
    headers = {
        **_HEADERS,
        "Content-Type": found.content_type,
        "Cache-Control": cache_control,
        "Vary": "Accept-Encoding",
    }
    if coding is None:
        return web.Response(body=found.body, headers=headers)
    return web.Response(body=found.codings[coding], headers={**headers, "Content-Encoding": coding})


ROUTES = (
    Route("GET", "/assets/{name}", asset, Access.PUBLIC),
    # Not for the prefixes of the services: an unknown path there is a 404, never the page.
    Route("GET", r"/{path:(?!(?:api|assets|nodes/v1|internal|mod)(?:/|$)).*}", page, Access.PUBLIC),
)
