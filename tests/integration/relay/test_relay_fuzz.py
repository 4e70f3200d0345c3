"""Any bytes at all: nobody crashes, nobody hangs, and what is accepted is what other parsers read too."""

import asyncio

import h11
import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.relay.director import Respond
from shared.relay.faults import MessageRefused
from shared.relay.limits import Limits
from shared.relay.received import ReceivedRequest
from shared.relay.request_reader import RequestReader
from tests.servers.relay_under_test import Start

_FRAGMENTS = st.sampled_from(
    [
        b"GET ", b"POST ", b"OPTIONS ", b"/", b"/a?b=c", b"*", b"http://h/p", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.2", b"\r\n", b"\r\n\r\n",
        b"\n", b"\r", b"Host: a", b"Host:b\t", b"Content-Length: 3", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Connection: close",
        b"Connection: x, keep-alive", b"Expect: 100-continue", b"X: y", b"X : y", b" folded", b"\x00", b"\xff", b"3\r\nabc\r\n", b"0\r\n\r\n",
        b"3;a=b\r\nabc\r\n", b"0\r\nA: b\r\n\r\n", b"abc", b";", b":",
    ]
)  # fmt: skip
_SOUND = st.builds(
    lambda line, fields, body: b"\r\n".join([line, *fields, b"", b""]) + body,
    st.sampled_from(
        [
            b"GET / HTTP/1.1",
            b"POST /p HTTP/1.1",
            b"PUT http://h/ HTTP/1.1",
            b"GET / HTTP/1.0",
            b"OPTIONS * HTTP/1.1",
        ]
    ),
    st.lists(
        st.sampled_from(
            [
                b"Host: a",
                b"X:  y ",
                b"x: y\t",
                b"Content-Length: 3",
                b"Transfer-Encoding: chunked",
                b"Empty:",
                b"\xe9: x",
                b"E: \xe9",
            ]
        )
    ),
    st.sampled_from(
        [
            b"",
            b"abc",
            b"3\r\nabc\r\n0\r\n\r\n",
            b"3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n",
            b"3;a\r\nabc\r\n00\r\n\r\n",
        ]
    ),
)
_BYTES = st.one_of(st.lists(_FRAGMENTS, max_size=25).map(b"".join), _SOUND, st.binary(max_size=200))


def by_relay(data: bytes) -> tuple[ReceivedRequest, bytes, bool] | None:
    reader = RequestReader(Limits())
    reader.keep(data)
    try:
        request = reader.head()
        return (request, reader.body(), reader.body_is_complete) if request is not None else None
    except MessageRefused:
        return None


def by_h11(data: bytes) -> tuple[h11.Request, bytes]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return request, body


@settings(max_examples=1500, deadline=None)
@given(data=_BYTES)
def test_what_the_relay_accepts_h11_reads_alike(data: bytes) -> None:
    accepted = by_relay(data)
    if accepted is None:
        return
    request, body, complete = accepted
    if not complete:
        return

    theirs, their_body = by_h11(data.lstrip(b"\r\n"))

    assert theirs.method.decode() == request.method
    assert theirs.target.decode().endswith(request.target) or theirs.target.startswith(b"http")
    assert their_body == body
    ours = [(name.lower(), value) for name, value in request.fields]
    assert [pair for pair in theirs.headers if pair in ours] == ours


def test_an_accepted_and_a_refused_message_are_told_apart_by_the_oracle_too() -> None:
    assert by_relay(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") is not None
    assert by_relay(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n") is None
    with pytest.raises(h11.RemoteProtocolError):
        by_h11(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")


async def test_any_bytes_are_answered_or_awaited_but_never_left_hanging(start_relay: Start) -> None:
    relay = await start_relay(1, decide=lambda *_: Respond(200, (), b"ok"), limits=Limits(linger=0.5))
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))

    async def one(data: bytes) -> bytes:
        async with relay.client() as client:
            try:
                await client.send(data)
                client.writer.write_eof()
                return await client.rest()
            except ConnectionError:
                return b""

    for batch in _examples(40):
        for answer in await asyncio.gather(*map(one, batch)):
            _well_formed(answer)

    assert failures == []
    assert relay.relay.in_flight == 0


def _examples(batches: int) -> list[list[bytes]]:
    found: list[bytes] = []

    @settings(
        max_examples=batches * 10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(data=_BYTES)
    def collect(data: bytes) -> None:
        found.append(data)

    collect()
    return [found[start : start + 10] for start in range(0, len(found), 10)]


class _Heads:
    def on_message_complete(self) -> None: ...


def _well_formed(answers: bytes) -> None:
    parser = httptools.HttpResponseParser(_Heads())
    parser.set_dangerous_leniencies(lenient_data_after_close=False)
    if b"HEAD " not in answers:
        parser.feed_data(answers)
