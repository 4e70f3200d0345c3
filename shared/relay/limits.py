"""What the relay puts up with, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes and seconds.

    `upstream_keepalive` is below the 5 s after which Node and uvicorn close idle connections, so that a pooled connection is
    given up by us rather than pulled away under a request.
    """

    max_target: int = 8 * 1024
    max_head: int = 32 * 1024
    max_fields: int = 100
    max_chunk_line: int = 1024
    max_trailers: int = 8 * 1024
    max_connections: int = 10_000
    max_idle_upstream: int = 256
    """Idle connections kept for one target."""

    write_high_water: int = 64 * 1024
    kernel_unsent: int = 128 * 1024
    """Bytes that the kernel takes for a client beyond what is on its way; congestion control is left alone."""
    read_ahead: int = 64 * 1024
    """Bytes of later requests kept while one is being answered; beyond that the client is not read."""
    drop: int = 256 * 1024
    """The largest rest of an unwanted request body that is read and dropped to keep the connection."""

    head_timeout: float = 10.0
    keepalive_timeout: float = 75.0
    write_stall: float = 60.0
    """How long a client may take not one byte of what is waiting for it."""
    half_closed_silence: float = 1.0
    """How long an answer of unknown length may be silent before a client that ended its side counts as gone."""
    continue_after: float = 0.25
    """How long the upstream may leave a client waiting for `100 Continue` before the relay says it."""
    linger: float = 2.0
    """How long a refused client's input is dropped after the answer, so that a reset cannot overtake the answer."""
    upstream_keepalive: float = 4.0
    avoid_failed_target: float = 2.0
    """How long a target that could not be connected to, or did not answer, is passed over while there is another."""
    failures_in_a_row: int = 3
    """Requests without a response head after which a target is passed over."""
