"""Lists: newest first, an opaque cursor, and the true total."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web
from pydantic_core import to_json

from hoster.bodies import BodyInvalid, query_integer
from shared.database import Row

Item = TypeVar("Item")

LIMIT_DEFAULT = 50
LIMIT_MOST = 200
NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`before` is the sequence number to continue below; None starts at the newest."""

    limit: int
    before: int | None

    @property
    def below(self) -> int:
        """The same as a number that every sequence number can be compared with, which keeps the comparison in the index."""
        return NEWEST if self.before is None else self.before


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """`last` is the sequence number of the last item, when there are more behind it."""

    items: Sequence[Item]
    last: int | None
    total: int


def page_of(rows: Sequence[Row], request: PageRequest, read: Callable[[Row], Item], total: int) -> Page[Item]:
    """`rows`, each with its `seq`, are one more than were asked for where there are more."""
    shown = rows[: request.limit]
    return Page([read(row) for row in shown], shown[-1]["seq"] if len(rows) > request.limit else None, total)


def counted(row: Row | None) -> int:
    """What `SELECT count(*)` found, or a tally that is not kept yet."""
    return 0 if row is None else int(row[0])


def page_response(page: Page[Item], show: Callable[[Item], Mapping[str, object]]) -> web.Response:
    return written_page_response(Page([to_json(show(item)) for item in page.items], page.last, page.total))


def written_page_response(page: Page[bytes]) -> web.Response:
    """Of items that are JSON already."""
    place = to_json({"next_cursor": None if page.last is None else _encode(page.last), "total": page.total})
    body = b'{"items":[' + b",".join(page.items) + b"]," + place.removeprefix(b"{")
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def parse_page(query: Mapping[str, str]) -> PageRequest:
    """Raises BodyInvalid."""
    limit = query_integer(query, "limit", LIMIT_DEFAULT, (1, LIMIT_MOST))
    cursor = query.get("cursor")
    return PageRequest(limit, None if not cursor else _decode(cursor))


def _encode(sequence: int) -> str:
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not (text.isdigit() and len(text) <= 18):
        raise BodyInvalid.of("cursor", "is not a cursor that this list gave")
    return int(text)
