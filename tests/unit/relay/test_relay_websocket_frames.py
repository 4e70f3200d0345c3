"""Where WebSocket frames end, however the bytes are cut."""

from hypothesis import given
from hypothesis import strategies as st

from shared.relay.websocket_frames import FrameBoundaries, close_to_server


def frame(size: int, *, masked: bool) -> bytes:
    flag = 0x80 if masked else 0
    if size < 126:
        length = bytes([flag | size])
    elif size < 65536:
        length = bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([flag | 127]) + size.to_bytes(8, "big")
    return b"\x82" + length + (b"mask" if masked else b"") + b"p" * size


_FRAMES = st.lists(
    st.tuples(st.sampled_from([0, 1, 125, 126, 300, 65536]), st.booleans()), min_size=1, max_size=5
)


@given(shapes=_FRAMES, cut=st.integers(1, 70_000))
def test_it_is_between_frames_exactly_at_their_ends(shapes: list[tuple[int, bool]], cut: int) -> None:
    frames = [frame(size, masked=masked) for size, masked in shapes]
    ends = {sum(map(len, frames[: count + 1])) for count in range(len(frames))}
    data = b"".join(frames)
    boundaries = FrameBoundaries()

    for start in range(0, len(data), cut):
        piece = data[start : start + cut]
        assert boundaries.follow(piece) == len(piece)
        assert boundaries.between_frames == (start + len(piece) in ends)


def test_the_rest_of_an_open_frame_is_taken_and_nothing_of_the_next() -> None:
    first, second = frame(300, masked=True), frame(5, masked=True)
    boundaries = FrameBoundaries()
    boundaries.follow(first[:100])

    taken = boundaries.follow(first[100:] + second, to_first_boundary=True)

    assert taken == len(first) - 100
    assert boundaries.between_frames


def test_the_close_frame_for_a_server_is_masked_and_says_1001() -> None:
    sent = close_to_server()
    mask, payload = sent[2:6], sent[6:]

    assert sent[:2] == b"\x88\x82"
    assert bytes(byte ^ mask[index] for index, byte in enumerate(payload)) == (1001).to_bytes(2, "big")
