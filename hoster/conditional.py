"""Conditional requests (RFC 9110, section 13): an entity tag is a digest of what is shown."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from aiohttp import hdrs, web

Members = Mapping[str, object]
Shown = TypeVar("Shown")

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


class PreconditionFailed(Exception):
    """It has changed since the caller read it (`If-Match`)."""


def etag(members: Members) -> str:
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def answer(request: web.Request, members: Members, status: int = 200) -> web.Response:
    """With its entity tag; 304 to a reader who has it already."""
    tag = etag(members)
    known = request.headers.get(hdrs.IF_NONE_MATCH)
    if (
        known is not None
        and request.method in {hdrs.METH_GET, hdrs.METH_HEAD}
        and _names(known, tag, weakly=True)
    ):
        return web.Response(status=304, headers={hdrs.ETAG: tag})
    return web.json_response(members, status=status, headers={hdrs.ETAG: tag})


def permits(request: web.Request, show: Callable[[Shown], Members]) -> Callable[[Shown], None]:
    """A check to be made in the transaction that changes: raises PreconditionFailed for what the caller has not read."""
    wanted = request.headers.getall(hdrs.IF_MATCH, [])

    def check(thing: Shown) -> None:
        if wanted and not _names(", ".join(wanted), etag(show(thing)), weakly=False):
            raise PreconditionFailed

    return check


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    if header.strip() == "*":
        return True
    given = _TAG.findall(header)
    return tag in ([one.removeprefix("W/") for one in given] if weakly else given)
