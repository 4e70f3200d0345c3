"""One auto-pipelined connection to Redis, kept up for the life of the process.

Facts: a pooled asyncio client costs about 170 us of processor time a call, this about 7 us, because all commands of one turn
of the loop leave in one write and come back through one C parser. Replies come in order, so a call that missed its deadline
keeps its place in the line; only its caller has stopped waiting.
"""

import asyncio
import hashlib
import re
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

import hiredis
import structlog
from typing_extensions import override

from gateway.errors import CountersUnavailable

DEADLINE_S = 0.05
_CONNECT_S = 2.0
_SILENCE_S = 2.0
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 2.0
_RUN = re.compile(rb"^run_id:([0-9a-f]{12})", re.MULTILINE)

Argument = str | bytes | int
OnReply = Callable[[object], None]
"""Gets the reply, or the exception that stands for it."""


@dataclass(frozen=True, slots=True)
class Address:
    """`secret` is never shown."""

    host: str
    port: int
    unix_path: str | None
    database: int
    user: str | None
    secret: str | None
    tls: bool

    @override
    def __repr__(self) -> str:
        return f"Address({self.unix_path or f'{self.host}:{self.port}'})"


def parse_redis_url(url: str) -> Address:
    """`redis://`, `rediss://` or `unix://`; raises ValueError that does not quote the secret."""
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("the scheme must be redis, rediss or unix")
    database = parts.path.strip("/") if parts.scheme != "unix" else ""
    if database and not database.isdigit():
        raise ValueError("the path must be the number of a database")
    return Address(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 6379,
        unix_path=parts.path if parts.scheme == "unix" else None,
        database=int(database or 0),
        user=unquote(parts.username) if parts.username else None,
        secret=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "rediss",
    )


@dataclass(frozen=True, slots=True)
class Script:
    source: str
    sha: str

    @classmethod
    def read(cls, path: Path) -> "Script":
        source = path.read_text(encoding="utf-8")
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@dataclass(slots=True)
class _Call:
    on_reply: OnReply | None
    due: float
    instead: bytes | None
    """The command to send when Redis does not know the script (it was restarted, or its scripts were flushed)."""


class _Connection(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, deadline_s: float) -> None:
        self._loop = loop
        self._deadline_s = deadline_s
        self._reader = hiredis.Reader()
        self._line: deque[_Call] = deque()
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = loop.time()
        self.server_run = ""
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_stalled(self) -> bool:
        """Whether it has ended, or the oldest call has been without its reply for longer than the deadline."""
        return self._transport is None or (bool(self._line) and self._line[0].due <= self._loop.time())

    def call(self, command: bytes, on_reply: OnReply, instead: bytes | None = None) -> None:
        due = self._loop.time() + self._deadline_s
        self._line.append(_Call(on_reply, due, instead))
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(command)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._overdue)

    def ask(self, *command: Argument) -> asyncio.Future[object]:
        future: asyncio.Future[object] = self._loop.create_future()
        self.call(_packed(*command), lambda reply: _settle(future, reply))
        return future

    def abort(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's classes, so this cannot be checked by isinstance.
        self._transport = cast(asyncio.Transport, transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._answer(self._line.popleft(), reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        # Before anyone hears of it: who gives a unit back because of this must not write here.
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        while self._line:
            self._fail(self._line.popleft())
        if not self.closed.done():
            self.closed.set_result(None)

    def flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        if data and self._transport is not None:
            self._transport.write(data)

    def _answer(self, call: _Call, reply: object) -> None:
        if (
            call.instead is not None
            and isinstance(reply, hiredis.ReplyError)
            and str(reply).startswith("NOSCRIPT")
        ):
            if call.on_reply is not None:
                self.call(call.instead, call.on_reply)
        elif call.on_reply is not None:
            call.on_reply(reply)

    def _overdue(self) -> None:
        self._timer = None
        now = self._loop.time()
        for call in self._line:
            if call.due > now:
                self._timer = self._loop.call_at(call.due, self._overdue)
                break
            self._fail(call)
        if self._line and self._timer is None:
            self._timer = self._loop.call_at(now + self._deadline_s, self._overdue)
        if self._line and now - max(self._heard_at, self._line[0].due) > _SILENCE_S:
            self.abort()

    @staticmethod
    def _fail(call: _Call) -> None:
        on_reply, call.on_reply = call.on_reply, None
        if on_reply is not None:
            on_reply(CountersUnavailable())


def _packed(*command: Argument) -> bytes:
    return hiredis.pack_command(command)  # type: ignore[arg-type,no-any-return]  # its stub knows commands of one word only


def _settle(future: asyncio.Future[object], reply: object) -> None:
    if future.done():
        return
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)


def _server_run(info: object) -> str:
    """Raises CountersUnavailable for what is no Redis."""
    found = _RUN.search(info) if isinstance(info, bytes) else None
    if found is None:
        raise CountersUnavailable("INFO server does not tell run_id")
    return found[1].decode()


class RedisLink:
    """Failure policy: without a connection, or while the oldest call is overdue, a call fails at once.

    `scripts` are loaded with every connection, so that commands are carried out in the order in which they were given: one that
    has to be sent again, because its script is not known, is overtaken by those after it.
    """

    def __init__(self, address: Address, scripts: Sequence[Script], deadline_s: float = DEADLINE_S) -> None:
        self._address = address
        self._scripts = scripts
        self._deadline_s = deadline_s
        self._connection: _Connection | None = None
        self._changed = asyncio.Event()
        self._log = structlog.get_logger("redis")

    @property
    def is_up(self) -> bool:
        return self._connection is not None and not self._connection.is_stalled

    @property
    def server_run(self) -> str:
        """Another word after every restart of Redis, the same for all its clients. Empty while there is no connection."""
        return "" if self._connection is None else self._connection.server_run

    def flush(self) -> None:
        """What was said goes out now, and not with whatever else this turn of the loop may say."""
        if self._connection is not None:
            self._connection.flush()

    def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument], on_reply: OnReply
    ) -> None:
        """EVALSHA, and EVAL when the script is not known. Raises CountersUnavailable."""
        connection = self._connection
        if connection is None or connection.is_stalled:
            raise CountersUnavailable
        rest = (len(keys), *keys, *arguments)
        connection.call(
            _packed("EVALSHA", script.sha, *rest),
            on_reply,
            _packed("EVAL", script.source, *rest),
        )

    def ask(self, *command: Argument) -> asyncio.Future[object]:
        """Any other command, off the hot path. Raises CountersUnavailable, hiredis.ReplyError from the future."""
        connection = self._connection
        if connection is None or connection.is_stalled:
            raise CountersUnavailable
        return connection.ask(*command)

    async def until_up(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def keep(self) -> None:
        """Connects, and connects again with back-off whenever the connection ends. Runs until cancelled."""
        delay = _FIRST_DELAY_S
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    connection = await self._connect()
            except (OSError, TimeoutError, CountersUnavailable, hiredis.HiredisError) as error:
                self._log.warning(
                    "redis_unreachable", address=repr(self._address), error=str(error) or type(error).__name__
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY_S)
                continue
            delay = _FIRST_DELAY_S
            self._connection = connection
            self._changed.set()
            try:
                await connection.closed
            finally:
                self._connection = None
                self._changed.clear()
                connection.abort()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        address = self._address

        def protocol() -> _Connection:
            return _Connection(loop, self._deadline_s)

        if address.unix_path is not None:
            _, connection = await loop.create_unix_connection(protocol, address.unix_path)
        else:
            context = ssl.create_default_context() if address.tls else None
            _, connection = await loop.create_connection(protocol, address.host, address.port, ssl=context)
        try:
            if address.secret is not None:
                await connection.ask("AUTH", *([address.user] if address.user else []), address.secret)
            if address.database:
                await connection.ask("SELECT", address.database)
            for script in self._scripts:
                await connection.ask("SCRIPT", "LOAD", script.source)
            connection.server_run = _server_run(await connection.ask("INFO", "server"))
        except BaseException:
            connection.abort()
            raise
        return connection
