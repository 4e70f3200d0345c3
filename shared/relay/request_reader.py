"""A client's bytes, cut into request heads and bodies. No I/O, no clock."""

from shared.relay.body_decoder import NOTHING, BodyDecoder, LengthDecoder, body_decoder
from shared.relay.fields import OwnLines
from shared.relay.limits import Limits
from shared.relay.received import ReceivedRequest, read_request
from shared.relay.syntax import HEAD_END, check_unfinished_head, without_leading_empty_lines


class RequestReader:
    """`kept`: bytes that have come and are not used yet: part of a head, or what follows the request in progress."""

    __slots__ = ("_checked", "_decoder", "_limits", "_own_lines", "_untouched", "_unwanted", "kept")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._checked = 0  # how much of an unfinished head has been looked at
        self._decoder: BodyDecoder = NOTHING
        self._untouched = False  # the client asked whether to send the body, and has not begun to
        self._unwanted = 0
        self._own_lines = OwnLines()
        self.kept = b""

    @property
    def is_far_ahead(self) -> bool:
        return len(self.kept) > self._limits.read_ahead

    @property
    def body_is_complete(self) -> bool:
        return self._decoder.done

    def keep(self, data: bytes) -> None:
        self.kept = self.kept + data if self.kept else data

    def head(self) -> ReceivedRequest | None:
        """The next request, when its head is complete. Raises `MessageRefused`, also for one that cannot become right."""
        data = without_leading_empty_lines(self.kept)
        end = data.find(HEAD_END) + len(HEAD_END)
        if end < len(HEAD_END):
            self.kept = data
            check_unfinished_head(data, self._checked, self._limits)
            self._checked = len(data)
            return None
        self.kept = data[end:]
        self._checked = 0
        request = read_request(data[:end], self._limits, self._own_lines)
        self._decoder = body_decoder(request.framing, self._limits)
        self._untouched = request.expects_continue
        self._unwanted = 0
        return request

    def body(self, data: bytes = b"") -> bytes:
        """The content in what is kept and `data`; what follows the body is kept. Raises `MessageRefused`."""
        if data:
            self.keep(data)
        if self._decoder.done or not self.kept:
            return b""
        self._untouched = False
        piece, self.kept = self._decoder.decode(self.kept)
        return piece

    def may_drop_rest(self) -> bool:
        """Whether it is cheaper to read the rest of the body than to lose the connection.

        Never when the client still waits to be told whether to send it: nobody could tell its body from its next request.
        """
        if self._decoder.done:
            return True
        if self._untouched:
            return False
        decoder = self._decoder
        return not isinstance(decoder, LengthDecoder) or decoder.remaining <= self._limits.drop

    def drop(self, data: bytes) -> bool:
        """Reads on without use for the content. Whether that is still worth it. Raises `MessageRefused`."""
        self._unwanted += len(data)
        self.body(data)
        return self._decoder.done or self._unwanted <= self._limits.drop
