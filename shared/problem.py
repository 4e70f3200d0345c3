"""Errors as `application/problem+json` (RFC 9457) with a stable `code`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One wrong field of a body. `field` is a dotted path (`variables.title`)."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One error answer. `extra` holds members beside the standard ones (`limit`, `used`, ...)."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldFault] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        members: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.extra,
        }
        if self.errors:
            members["errors"] = [{"field": fault.field, "message": fault.message} for fault in self.errors]
        return json.dumps(members, separators=(",", ":")).encode()
