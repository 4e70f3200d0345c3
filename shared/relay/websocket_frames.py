"""WebSocket frames (RFC 6455 section 5.2), followed only as far as it takes to know where one ends."""

import os

GOING_AWAY = b"\x03\xe9"  # 1001
POLICY_VIOLATION = b"\x03\xf0"  # 1008
_CLOSE_OPCODE = b"\x88"


class FrameBoundaries:
    """Follows one direction of a WebSocket, without looking at what the frames carry."""

    __slots__ = ("_header", "_payload_left")

    def __init__(self) -> None:
        self._header = b""
        self._payload_left = 0

    @property
    def between_frames(self) -> bool:
        return not self._header and not self._payload_left

    def follow(self, data: bytes, *, to_first_boundary: bool = False) -> int:
        """Takes `data` into account and returns how much of it: all, or up to the end of the first frame that ends in it."""
        position = 0
        while position < len(data):
            if self._payload_left:
                step = min(self._payload_left, len(data) - position)
                self._payload_left -= step
            else:
                missing = _header_length(self._header) - len(self._header)
                step = min(missing, len(data) - position)
                self._header += data[position : position + step]
                if len(self._header) == _header_length(self._header):
                    self._payload_left = _payload_length(self._header)
                    self._header = b""
            position += step
            if to_first_boundary and self.between_frames:
                break
        return position


def _header_length(header: bytes) -> int:
    """As far as it can be told from the part of the header that is there."""
    if len(header) < 2:
        return 2
    extended = {126: 2, 127: 8}.get(header[1] & 0x7F, 0)
    return 2 + extended + (4 if header[1] & 0x80 else 0)


def _payload_length(header: bytes) -> int:
    match header[1] & 0x7F:
        case 126:
            return int.from_bytes(header[2:4], "big")
        case 127:
            return int.from_bytes(header[2:10], "big")
        case short:
            return short


def close_to_client(reason: bytes) -> bytes:
    return _CLOSE_OPCODE + bytes([len(reason)]) + reason


def close_to_server() -> bytes:
    """Masked, as everything from a client is (section 5.3)."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(GOING_AWAY))
    return _CLOSE_OPCODE + bytes([0x80 | len(GOING_AWAY)]) + mask + masked
