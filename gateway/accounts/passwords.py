"""Passwords: argon2id (RFC 9106), hashed off the loop, a bounded number at a time.

Facts: the parameters are the OWASP minimum (19 MiB, 2 passes, 1 lane), about 40 ms of one core. argon2 releases the GIL, so threads
are enough. Two threads bound the memory to 38 MiB and leave a small machine able to serve while a crowd signs in.
"""

import asyncio
import ctypes
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.accounts.errors import PasswordQueueFull

LEAST_CHARACTERS = 8
MOST_CHARACTERS = 128

T = TypeVar("T")

_THREADS = 2
_MOST_WAITING = 256
_PATIENCE_S = 15.0
"""For a turn: half of what a request may take, so that who gets one also gets an answer."""
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 4 * 1024 * 1024


class Passwords:
    """`patience_s`: how long anybody waits for a turn."""

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._turns = asyncio.Semaphore(_THREADS)
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        _give_large_blocks_back()
        # Whoever tries an unknown address is made to wait for a real verification against this.
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """Raises PasswordQueueFull."""
        return await self._off_the_loop(lambda: self._hasher.hash(password))

    async def verify(self, known_hash: str | None, password: str) -> bool:
        """None for an unknown user: false, after the same work. Raises PasswordQueueFull."""
        matches = await self._off_the_loop(lambda: self._matches(known_hash or self._nobodys_hash, password))
        return matches and known_hash is not None

    def is_outdated(self, known_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, known_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(known_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _off_the_loop(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise PasswordQueueFull
        self._waiting += 1
        try:
            async with self._turn():
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise PasswordQueueFull from error
        try:
            yield
        finally:
            self._turns.release()


def _give_large_blocks_back() -> None:
    """The C library stops returning freed blocks once it has seen a large one; each thread would then keep its 19 MiB for ever.

    A fixed threshold (`M_MMAP_THRESHOLD`, mallopt(3)) turns that off. Where there is no mallopt, there is no such habit.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
