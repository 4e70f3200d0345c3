"""One auto-pipelined connection to Redis, kept up for the life of the process.

Facts: a pooled asyncio client costs about 170 us of processor time a call, this about 7 us, because all commands of one turn
of the loop leave in one write and come back through one C parser.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

import hiredis
import structlog
from typing_extensions import override

from gateway.counters.circuit import Circuit, CircuitEvent, CircuitState
from gateway.counters.redis_connection import OnReply, RedisConnection
from gateway.counters.resp import Argument, bulks, command, count
from gateway.errors import CountersUnavailable

DEADLINE_S: Final = 0.05
_CONNECT_S: Final = 2.0
_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 0.5
_PROBE_AFTER_S: Final = 0.05
_PROBE: Final = ("SET", "apigate:probe", 1, "PX", 1000)
"""A write: one that is out of memory, or became a replica, still answers a PING."""
_RUN: Final = re.compile(rb"^run_id:([0-9a-f]{12})", re.MULTILINE)


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
        return cls.of(path.read_text(encoding="utf-8"))

    @classmethod
    def of(cls, source: str) -> "Script":
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


class ScriptRun:
    """A script with its keys and arguments, these as encoded bulk strings."""

    __slots__ = ("_arguments", "_count", "_key_count", "_script")

    def __init__(self, script: Script, key_count: int, arguments: bytes, count: int) -> None:
        """`count` is that of keys and arguments together, `key_count` that of the keys, which come first."""
        self._script = script
        self._key_count = key_count
        self._arguments = arguments
        self._count = count

    @classmethod
    def of(cls, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> "ScriptRun":
        return cls(script, len(keys), bulks(*keys, *arguments), len(keys) + len(arguments))

    def by_name(self) -> bytes:
        return b"".join(
            (count(3 + self._count), _beginning(self._script.sha, self._key_count), self._arguments)
        )

    def in_full(self) -> bytes:
        beginning = bulks("EVAL", self._script.source, self._key_count)
        return b"".join((count(3 + self._count), beginning, self._arguments))


@lru_cache(maxsize=64)
def _beginning(sha: str, key_count: int) -> bytes:
    return bulks("EVALSHA", sha, key_count)


def _server_run(info: object) -> str:
    """Raises CountersUnavailable for what is no Redis."""
    found = _RUN.search(info) if isinstance(info, bytes) else None
    if found is None:
        raise CountersUnavailable("INFO server does not tell run_id")
    return found[1].decode()


class RedisLink:
    """Failure policy: while the circuit is not closed, or the oldest call is overdue, a call fails at once.

    `scripts` are loaded with every connection, so that commands are carried out in the order in which they were given: one that
    has to be sent again, because its script is not known, is overtaken by those after it.
    """

    def __init__(self, address: Address, scripts: Sequence[Script], deadline_s: float = DEADLINE_S) -> None:
        self._address = address
        self._scripts = scripts
        self._deadline_s = deadline_s
        self._connection: RedisConnection | None = None
        self._up = asyncio.Event()
        self._log = structlog.get_logger("redis")
        self._next_probe: asyncio.TimerHandle | None = None
        self.circuit = Circuit()

    @property
    def is_up(self) -> bool:
        return self._usable() is not None

    @property
    def server_run(self) -> str:
        """Another word after every restart of Redis, the same for all its clients. Empty while there is no connection."""
        return "" if self._connection is None else self._connection.server_run

    def flush(self) -> None:
        """What was said goes out now, and not with whatever else this turn of the loop may say."""
        if self._connection is not None:
            self._connection.flush()

    def run(self, script_run: ScriptRun, on_reply: OnReply) -> None:
        """EVALSHA, and EVAL when the script is not known. Raises CountersUnavailable."""
        connection = self._usable()
        if connection is None:
            raise CountersUnavailable
        connection.call(script_run.by_name(), on_reply, script_run)

    def ask(self, *arguments: Argument) -> asyncio.Future[object]:
        """Any other command, off the hot path. Raises CountersUnavailable, hiredis.ReplyError from the future."""
        connection = self._usable()
        if connection is None:
            raise CountersUnavailable
        return connection.ask(*arguments)

    async def until_up(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
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
            self._tell(CircuitEvent.CONNECTED)
            self._up.set()
            try:
                await connection.closed
            finally:
                self._connection = None
                self._up.clear()
                self._tell(CircuitEvent.LOST)
                connection.abort()

    def _usable(self) -> RedisConnection | None:
        connection = self._connection
        if connection is None or not self.circuit.is_closed or connection.is_stalled:
            return None
        return connection

    def _tell(self, event: CircuitEvent) -> None:
        before = self.circuit
        if event is CircuitEvent.ANSWERED and before.is_closed and not before.misses:
            return
        self.circuit = before.after(event)
        if self.circuit.state is before.state:
            return
        if self.circuit.is_closed:
            self._log.info("redis_answers", address=repr(self._address))
        elif before.is_closed:
            self._log.warning("redis_given_up", address=repr(self._address))
        if self.circuit.state is CircuitState.OPEN:
            self._probe_later()

    def _probe_later(self) -> None:
        """One timer, however often the circuit opens and closes."""
        if self._next_probe is not None:
            self._next_probe.cancel()
        self._next_probe = asyncio.get_running_loop().call_later(_PROBE_AFTER_S, self._probe)

    def _probe(self) -> None:
        """Asks when nothing is on its way any more: a connection on which earlier calls wait has answered nothing yet."""
        connection = self._connection
        if connection is None or self.circuit.state is not CircuitState.OPEN:
            return
        if connection.is_waiting:
            self._probe_later()
        else:
            self._tell(CircuitEvent.PROBED)
            connection.call(command(*_PROBE), lambda _reply: None)

    async def _connect(self) -> RedisConnection:
        loop = asyncio.get_running_loop()
        address = self._address

        # A Redis that is paused takes connections and answers when it goes on: that is waited for, not tried again.
        connection = RedisConnection(loop, _CONNECT_S, self._tell)
        protocol = cast(asyncio.Protocol, connection)  # it is one, but for the base class (see there)

        if address.unix_path is not None:
            await loop.create_unix_connection(lambda: protocol, address.unix_path)
        else:
            context = ssl.create_default_context() if address.tls else None
            await loop.create_connection(lambda: protocol, address.host, address.port, ssl=context)
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
        connection.begin(self._deadline_s)
        return connection
