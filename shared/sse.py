r"""Server-Sent Events on the wire (WHATWG HTML, section 9.2), carriage returns inside data kept.

The format cannot carry a raw CR inside a line, because CR ends a line there. Payloads are JSON, where CR is `\r`; the encoder
refuses anything else.
"""

import json
from collections.abc import Mapping

CONTENT_TYPE = "text/event-stream"
HEADERS = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-cache, no-store", "X-Accel-Buffering": "no"}
RETRY = b"retry: 2000\n\n"
KEEPALIVE = b": keep-alive\n\n"
KEEPALIVE_EVERY_S = 15.0


def encode_event(name: str, payload: Mapping[str, object], event_id: str | None = None) -> bytes:
    """One event; `payload` becomes one line of JSON."""
    identifier = f"id: {event_id}\n" if event_id is not None else ""
    return f"{identifier}event: {name}\ndata: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()
