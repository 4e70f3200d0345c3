"""The pages that browsers get: read once at start, served from memory under a strict content policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from hoster.access import Access, Route

FOLDER = Path(__file__).with_name("start")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Pages:
    index: bytes
    assets: Mapping[str, bytes]


PAGES = web.AppKey("pages", Pages)


def read_pages(folder: Path = FOLDER) -> Pages:
    assets = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.suffix in _TYPES}
    return Pages((folder / "index.html").read_bytes(), assets)


async def page(request: web.Request) -> web.Response:
    """Any path: which view it means is for the page to say."""
    return web.Response(
        body=request.app[PAGES].index, content_type="text/html", charset="utf-8", headers=_HEADERS
    )


async def asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    body = request.app[PAGES].assets.get(name)
    if body is None:
        raise web.HTTPNotFound
    return web.Response(body=body, content_type=_TYPES[Path(name).suffix], charset="utf-8", headers=_HEADERS)


ROUTES = (
    Route("GET", "/start/{name}", asset, Access.PUBLIC),
    # Not for the prefixes of the services: an unknown path there is a 404, never the page.
    Route("GET", r"/{path:(?!(?:api|nodes|internal|mod)(?:/|$)).*}", page, Access.PUBLIC),
)
