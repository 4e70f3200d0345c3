"""What the client is told by the relay itself or by its director, rather than by an upstream."""

from collections.abc import Sequence
from dataclasses import replace

from shared.relay.director import Director, FaultKind, Field, Respond
from shared.relay.faults import STATUS_OF_FAULT
from shared.relay.head_encoding import answer, connection_line
from shared.relay.received import ReceivedRequest
from shared.relay.target import ALLOWED_METHODS
from shared.relay.ticker import Ticker


class OwnAnswers:
    def __init__(self, director: Director, ticker: Ticker) -> None:
        self._director = director
        self._ticker = ticker

    def fault(self, kind: FaultKind, detail: str, request_id: str, fields: Sequence[Field] = ()) -> Respond:
        respond = self._director.fault(kind, STATUS_OF_FAULT[kind], detail, request_id)
        if kind is FaultKind.METHOD_NOT_ALLOWED:
            fields = [*fields, (b"Allow", ALLOWED_METHODS)]
        return replace(respond, fields=[*respond.fields, *fields]) if fields else respond

    def encode(
        self, respond: Respond, request_id: str, request: ReceivedRequest, *, keep_alive: bool
    ) -> bytes:
        connection = connection_line(keep_alive=keep_alive, http11=request.http11)
        return answer(
            respond, request_id, connection, self._ticker.date_line, to_head=request.method == "HEAD"
        )

    def encode_last(self, respond: Respond, request_id: str) -> bytes:
        """For something that is no request, so that nothing can be said about the client but goodbye."""
        connection = connection_line(keep_alive=False, http11=True)
        return answer(respond, request_id, connection, self._ticker.date_line, to_head=False)
