"""A request's body on its way to the upstream: measured, kept until there is a connection, framed anew."""

from shared.relay.body_decoder import in_chunks
from shared.relay.framing import Delimiter
from shared.relay.received import ReceivedRequest


class RequestBody:
    """`begun`: a part of it has left for the upstream. `awaits_invitation`: the client sends nothing before it is told
    `100 Continue` (RFC 9110 section 10.1.1), or before it loses patience.
    """

    __slots__ = ("_chunked", "_declared", "_kept", "_maximum", "awaits_invitation", "begun", "invited")

    def __init__(self, request: ReceivedRequest, maximum: int | None) -> None:
        framing = request.framing
        self._chunked = framing.delimiter is Delimiter.CHUNKED
        self._declared = framing.length
        self._maximum = maximum
        self._kept: list[bytes] = []
        self.begun = self.invited = False
        self.awaits_invitation = request.expects_continue

    def is_too_large(self, received: int) -> bool:
        """By what was declared, or by `received` bytes so far."""
        return self._maximum is not None and max(received, self._declared) > self._maximum

    def keep(self, piece: bytes, *, last: bool) -> None:
        encoded = self.encode(piece, last=last)
        if encoded:
            self.awaits_invitation = False
            self._kept.append(encoded)

    def send_after(self, head: bytes) -> bytes:
        """The head with what was kept behind it."""
        self.begun = bool(self._kept)
        data = b"".join((head, *self._kept))
        self._kept.clear()
        return data

    def encode(self, piece: bytes, *, last: bool) -> bytes:
        return in_chunks(piece, last=last) if self._chunked else piece

    def invite(self) -> bool:
        """Notes that the client is told to go on; whether it has not been told before."""
        news, self.invited = not self.invited, True
        self.awaits_invitation = False
        return news
