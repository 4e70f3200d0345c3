"""An archive from the web: checked while it comes in, then unpacked."""

import asyncio
import hashlib
from pathlib import Path
from threading import Event

import aiohttp
from yarl import URL

from shared.source_address import SourceAddress, SourceUrlInvalid, checked_archive_url
from worker.sources.errors import SourceFailed
from worker.sources.pinned import PinnedResolver
from worker.sources.resolution import resolved
from worker.sources.unpacking import root_of, unpack

DOWNLOAD_DEADLINE_S = 300.0
MOST_ARCHIVE_BYTES = 512 * 1024 * 1024
MOST_REDIRECTS = 5

_CHUNK = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class ArchiveFetcher:
    def __init__(self, *, allow_local: bool) -> None:
        self._allow_local = allow_local

    async def fetch(self, url: str, sha256: str, folder: Path) -> Path:
        """The folder with the files, inside `folder`, which is new. Raises SourceFailed."""
        file = folder.with_name(folder.name + ".archive")
        try:
            async with asyncio.timeout(DOWNLOAD_DEADLINE_S):
                found = await self._download(url, file)
        except TimeoutError:
            raise SourceFailed(f"The archive did not arrive within {DOWNLOAD_DEADLINE_S:.0f} s.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise SourceFailed(f"The archive could not be fetched: {type(error).__name__}") from error
        if found != sha256:
            raise SourceFailed(f"The archive is not the one that was meant: its SHA-256 is {found}.")
        given_up = Event()
        try:
            await asyncio.to_thread(unpack, file, folder, given_up)
        finally:
            given_up.set()
        return await asyncio.to_thread(root_of, folder)

    async def _download(self, url: str, file: Path) -> str:
        """The SHA-256 of what was written to `file`."""
        for _turn in range(MOST_REDIRECTS + 1):
            address = self._checked(url)
            target = await resolved(address, allow_local=self._allow_local)
            # Looked up here, used there: the client never asks again, and it still verifies the name.
            connector = aiohttp.TCPConnector(resolver=PinnedResolver(target), force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(URL(url, encoded=True), allow_redirects=False) as response,
            ):
                if response.status in _REDIRECTS:
                    url = str(URL(url, encoded=True).join(URL(response.headers.get("Location", ""))))
                elif response.status == 200:
                    return await _receive(response, file)
                else:
                    raise SourceFailed(f"The archive could not be fetched: HTTP {response.status}")
        raise SourceFailed(f"The archive was redirected more than {MOST_REDIRECTS} times.")

    def _checked(self, url: str) -> SourceAddress:
        try:
            address = checked_archive_url(url)
        except SourceUrlInvalid as invalid:
            raise SourceFailed(f"The archive is redirected to an address that {invalid}.") from invalid
        if address.scheme != "https" and not self._allow_local:
            raise SourceFailed("Only https is permitted for archives.")
        return address


async def _receive(response: aiohttp.ClientResponse, file: Path) -> str:
    digest = hashlib.sha256()
    size = 0
    writing = await asyncio.to_thread(file.open, "wb")
    try:
        async for octets in response.content.iter_chunked(_CHUNK):
            size += len(octets)
            if size > MOST_ARCHIVE_BYTES:
                raise SourceFailed(f"The archive is larger than {MOST_ARCHIVE_BYTES // 1024**2} MiB.")
            digest.update(octets)
            await asyncio.to_thread(writing.write, octets)
    finally:
        await asyncio.to_thread(writing.close)
    return digest.hexdigest()
