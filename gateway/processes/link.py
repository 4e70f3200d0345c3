"""The link between the control process and one relay process: a socket pair, one JSON array a line.

| line                       | means                                   |
|----------------------------|-----------------------------------------|
| `["tell", kind, members]`  | no answer is expected                   |
| `["ask", id, kind, members]` | answered with the same id             |
| `["answer", id, members]`  | null when the question could not be answered |

Rules: the end of the link is the end of the process on the other side. Whoever does not read for so long that `_MOST_UNREAD`
bytes wait for it is treated as gone.
"""

import asyncio
import socket
from asyncio import Future
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, cast

from pydantic_core import from_json, to_json
from typing_extensions import override

_MOST_UNREAD = 16 * 1024 * 1024

Members = Mapping[str, object]
Answer = Callable[[Members | None], None]


class LinkEnded(Exception):
    """The process at the other end is gone, or could not answer."""


class LinkUser(Protocol):
    def told(self, kind: str, members: Members) -> None: ...

    def asked(self, kind: str, members: Members, answer: Answer) -> None:
        """`answer` is called once, now or later; None when there is no answer."""

    def link_ended(self) -> None: ...


class Link(asyncio.Protocol):
    def __init__(self, user: LinkUser) -> None:
        self._user = user
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._questions: dict[int, Future[Members]] = {}
        self._last_id = 0
        self._closed = asyncio.Event()

    @classmethod
    async def open(cls, end: socket.socket, user: LinkUser) -> "Link":
        end.setblocking(False)  # noqa: FBT003 - the standard library's name for it
        _, link = await asyncio.get_running_loop().create_unix_connection(lambda: cls(user), sock=end)
        return link

    def tell(self, kind: str, members: Members) -> None:
        """Nothing happens when the other end is gone: its end is told to the user."""
        self._send(["tell", kind, members])

    async def ask(self, kind: str, members: Members, within_s: float) -> Members:
        """Raises LinkEnded, TimeoutError."""
        if self._transport is None:
            raise LinkEnded
        self._last_id += 1
        question = self._last_id
        future: Future[Members] = asyncio.get_running_loop().create_future()
        self._questions[question] = future
        self._send(["ask", question, kind, members])
        try:
            async with asyncio.timeout(within_s):
                return await future
        finally:
            self._questions.pop(question, None)

    async def finish(self, within_s: float) -> None:
        """Closes when everything that was said has been taken, or could not be in that time."""
        self.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._closed.wait()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._unread += data
        *lines, rest = self._unread.split(b"\n")
        self._unread = bytearray(rest)
        for line in lines:
            self._received(from_json(line))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._closed.set()
        for future in self._questions.values():
            if not future.done():
                future.set_exception(LinkEnded())
        self._user.link_ended()

    def _received(self, message: object) -> None:
        match message:
            case ["tell", str(kind), dict(members)]:
                self._user.told(kind, members)
            case ["ask", int(question), str(kind), dict(members)]:
                self._user.asked(kind, members, lambda answered: self._send(["answer", question, answered]))
            case ["answer", int(question), answered]:
                self._answered(question, answered)
            case _:
                raise TypeError("not a message of a link")

    def _answered(self, question: int, members: object) -> None:
        future = self._questions.get(question)
        if future is None or future.done():
            return
        if isinstance(members, dict):
            future.set_result(members)
        else:
            future.set_exception(LinkEnded("no answer"))

    def _send(self, message: list[object]) -> None:
        transport = self._transport
        if transport is None:
            return
        transport.write(to_json(message) + b"\n")
        if transport.get_write_buffer_size() > _MOST_UNREAD:
            transport.abort()
