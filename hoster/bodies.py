"""Bodies and query parameters become typed values here, or a list of what is wrong with them."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Self, TypeVar

from aiohttp import web
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from shared.field_faults import sentence
from shared.problem import FieldFault

Body = TypeVar("Body", bound="StrictBody")

_ONE_LINE = (
    r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"
    r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029]"
    r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
)
"""Control characters and Unicode's own line ends make another line; its blanks alone are nothing, as `str.strip` has it."""

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=_ONE_LINE)]
"""What people call a thing: one line, not blank."""


def is_one_line(text: str) -> bool:
    """And not blank."""
    return re.fullmatch(_ONE_LINE, text) is not None


def _as_scalar(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError:
        raise ValueError("must be a text, a number, true or false") from None


ScalarField = Annotated[str | int | float | bool, WrapValidator(_as_scalar)]
"""A text, a number or a truth value; anything else is one fault, not one of each."""


class BodyMalformed(Exception):
    """The body is not a JSON object."""


class BodyInvalid(Exception):
    """Fields or parameters that cannot be accepted, all of them."""

    def __init__(self, faults: list[FieldFault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.message}" for fault in faults))
        self.faults = faults

    @classmethod
    def of(cls, field: str, message: str) -> Self:
        return cls([FieldFault(field, message)])


class StrictBody(BaseModel):
    """Unknown fields are faults, and nothing is coerced: `"80"` is not a port."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


async def read_json(request: web.Request) -> dict[str, object]:
    """An absent body is an empty object. Raises BodyMalformed."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        members = json.loads(raw)
        json.dumps(
            members, ensure_ascii=False
        ).encode()  # half a surrogate pair is not text, and cannot be stored
    except (ValueError, RecursionError) as error:
        raise BodyMalformed("The body is not valid JSON.") from error
    if not isinstance(members, dict):
        raise BodyMalformed("The body must be a JSON object.")
    return members


class EmptyBody(StrictBody):
    """Of an order that needs nothing said: whoever says something means something that will not happen."""


async def read_body(request: web.Request, kind: type[Body]) -> Body:
    """Raises BodyMalformed or BodyInvalid."""
    members = await read_json(request)
    try:
        return kind.model_validate(members)
    except ValidationError as error:
        raise BodyInvalid(faults_of(error)) from None


def faults_of(error: ValidationError) -> list[FieldFault]:
    return [
        FieldFault(
            ".".join(str(part) for part in fault["loc"]) or "body",
            _sentence(fault["type"], fault["msg"], fault.get("ctx", {})),
        )
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _sentence(kind: str, message: str, known: Mapping[str, object]) -> str:
    if known.get("pattern") == _ONE_LINE:
        return "must be one line that is not blank"
    return sentence(kind, message, known)


def query_integer(query: Mapping[str, str], name: str, default: int, bounds: tuple[int, int]) -> int:
    """A parameter without a value was not given. Raises BodyInvalid."""
    least, most = bounds
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
        raise BodyInvalid.of(name, f"must be a whole number from {least} to {most}")
    return int(text)


def query_choice(query: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """A parameter without a value was not given. Raises BodyInvalid."""
    value = query.get(name) or default
    if value not in allowed:
        raise BodyInvalid.of(name, f"must be one of {', '.join(allowed)}")
    return value
