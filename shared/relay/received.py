"""A head as it came in, with every rule applied: what `syntax`, `fields`, `target` and `framing` say together."""

from dataclasses import dataclass

from shared.relay.director import FaultKind, Field
from shared.relay.faults import MessageRefused
from shared.relay.fields import OF_REQUESTS, OF_RESPONSES, OwnLines, SortedFields
from shared.relay.framing import NO_BODY, BodyFraming, request_framing, response_framing
from shared.relay.limits import Limits
from shared.relay.syntax import check_size, lines_of, request_line, status_line
from shared.relay.target import check_method, resolve_target


@dataclass(slots=True, init=False)
class ReceivedRequest:
    method: str
    target: str
    host: str
    http11: bool
    fields: list[Field]
    framing: BodyFraming
    keep_alive: bool
    websocket: bool
    expects_continue: bool

    def __init__(
        self,
        method: str,
        target: str,
        host: str,
        http11: bool,
        fields: list[Field],
        framing: BodyFraming,
        keep_alive: bool,
        websocket: bool,
        expects_continue: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.host = host
        self.http11 = http11
        self.fields = fields
        self.framing = framing
        self.keep_alive = keep_alive
        self.websocket = websocket
        self.expects_continue = expects_continue


@dataclass(slots=True, init=False)
class ReceivedResponse:
    """`bodiless`: the status or the method leaves no body, whatever is declared. `declared_length`: for those, what
    Content-Length said.
    """

    status: int
    fields: list[Field]
    framing: BodyFraming
    keep_alive: bool
    websocket: bool
    bodiless: bool
    declared_length: bytes | None
    has_date: bool

    def __init__(
        self,
        status: int,
        fields: list[Field],
        framing: BodyFraming,
        keep_alive: bool,
        websocket: bool,
        bodiless: bool,
        declared_length: bytes | None,
        has_date: bool,
    ) -> None:
        self.status = status
        self.fields = fields
        self.framing = framing
        self.keep_alive = keep_alive
        self.websocket = websocket
        self.bodiless = bodiless
        self.declared_length = declared_length
        self.has_date = has_date


def read_request(head: bytes, limits: Limits, own: OwnLines | None = None) -> ReceivedRequest:
    """Raises `MessageRefused`."""
    start, lines = lines_of(head)
    method, raw_target, http11 = request_line(start, limits)
    check_method(method)
    check_size(head, lines, limits)
    fields = OF_REQUESTS.read(lines, own)
    target, host = resolve_target(method, raw_target, fields.ended.get(b"host"), http11=http11)
    framing = request_framing(fields, http11=http11)
    return ReceivedRequest(
        method.decode("ascii"),
        target,
        host,
        http11,
        fields.kept,
        framing,
        _keep_alive(fields, http11=http11),
        http11 and method == b"GET" and framing is NO_BODY and _upgrades_to_websocket(fields),
        _expects_continue(fields, framing, http11=http11),
    )


def read_response(head: bytes, limits: Limits, *, to_head: bool) -> ReceivedResponse:
    """Raises `MessageRefused`."""
    start, lines = lines_of(head)
    status, http11 = status_line(start)
    check_size(head, lines, limits)
    fields = OF_RESPONSES.read(lines)
    framing = response_framing(fields, status=status, to_head=to_head, http11=http11)
    lengths = fields.ended.get(b"content-length")
    return ReceivedResponse(
        status,
        fields.kept,
        framing,
        _keep_alive(fields, http11=http11),
        _upgrades_to_websocket(fields),
        to_head or status < 200 or status in {204, 304},
        lengths[0] if lengths else None,
        fields.has_date,
    )


def _keep_alive(fields: SortedFields, *, http11: bool) -> bool:
    if b"close" in fields.connection:
        return False
    return http11 or b"keep-alive" in fields.connection


def _upgrades_to_websocket(fields: SortedFields) -> bool:
    upgrades = fields.ended.get(b"upgrade")
    return (
        upgrades is not None
        and len(upgrades) == 1
        and upgrades[0].lower() == b"websocket"
        and b"upgrade" in fields.connection
    )


def _expects_continue(fields: SortedFields, framing: BodyFraming, *, http11: bool) -> bool:
    """RFC 9110 section 10.1.1: of no meaning in HTTP/1.0 or where no body follows."""
    expectations = fields.ended.get(b"expect")
    if expectations is None:
        return False
    if len(expectations) != 1 or expectations[0].lower() != b"100-continue":
        raise MessageRefused(
            "The only expectation that can be met is `100-continue`.", FaultKind.EXPECTATION_FAILED
        )
    return http11 and framing is not NO_BODY
