"""Whether a contender does what its lanes say: asked before it is measured, since work that is left out is fast."""

import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.bench.peers.contender import ANSWERS, Lane, Running

_FORGED = "somebody-else"
_BOOKED_WITHIN_S = 5.0
_ASKED = 3
_TRIES = 20


class LaneNotDone(Exception):
    """A contender is faster than it may be; the sentence says what it leaves out unsaid."""


def check(running: Running) -> None:
    """Raises LaneNotDone, OSError."""
    for lane, url in running.urls.items():
        headers = running.headers.get(lane, {})
        for name, size in ANSWERS.items():
            status, body = _get(url + name, headers)
            _demand(status == 200 and len(body) == size, lane, f"{name} is {status} with {len(body)} bytes")
        if lane is not Lane.PLAIN:
            _check_identity(lane, url + "echo", headers, running.user_id)
        if lane is Lane.BILLING:
            _check_counting(running, url + "small", headers)


def _check_identity(lane: Lane, url: str, headers: Mapping[str, str], user_id: str) -> None:
    status, body = _get(url, {**headers, "X-User-ID": _FORGED, "X-Org-ID": _FORGED, "X-Plan-ID": _FORGED})
    _demand(status == 200, lane, f"its token is answered {status}")
    arrived = dict(line.split("=", 1) for line in body.decode().splitlines())
    _demand(arrived["X-User-ID"] == user_id, lane, f"the user arrives as {arrived['X-User-ID']!r}")
    _demand(arrived["X-Org-ID"].startswith("org_"), lane, f"the org arrives as {arrived['X-Org-ID']!r}")
    _demand(arrived["X-Plan-ID"] == "free", lane, f"the plan arrives as {arrived['X-Plan-ID']!r}")
    _demand(not arrived["Authorization"], lane, "the token is passed on")
    _demand(_get(url, {})[0] == 401, lane, "no token is let in")
    for name, wrong in _spoilt(headers["Authorization"]).items():
        _demand(_get(url, {"Authorization": wrong})[0] == 401, lane, f"{name} is let in")


def _spoilt(credential: str) -> dict[str, str]:
    head, payload, signature = credential.split(".")
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return {
        "a wrong signature": f"{head}.{payload}.{signature[:middle]}{other}{signature[middle + 1 :]}",
        "no signature": f"{head}.{payload}.",
    }


def _check_counting(running: Running, url: str, headers: Mapping[str, str]) -> None:
    if running.counted is None:
        raise LaneNotDone(f"{Lane.BILLING}: it keeps no books")
    before = running.counted()
    for _ in range(_ASKED):
        _get(url, headers)
    deadline = time.monotonic() + _BOOKED_WITHIN_S
    while (counted := running.counted() - before) < _ASKED and time.monotonic() < deadline:
        time.sleep(0.05)
    _demand(counted == _ASKED, Lane.BILLING, f"{counted} of {_ASKED} requests are counted")


def _demand(kept: bool, lane: Lane, otherwise: str) -> None:  # noqa: FBT001 - it reads like assert
    if not kept:
        raise LaneNotDone(f"{lane}: {otherwise}")


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Asked again when Redis was late, which it may be on a busy machine: such a request is not counted."""
    for _ in range(_TRIES - 1):
        status, body = _get_once(url, headers)
        if status != HTTPStatus.SERVICE_UNAVAILABLE:
            return status, body
        time.sleep(1.0)
    return _get_once(url, headers)


def _get_once(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    place = urlsplit(url)
    with closing(HTTPConnection(str(place.hostname), place.port, timeout=30)) as connection:
        connection.request("GET", place.path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
