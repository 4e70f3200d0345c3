"""Request bodies: JSON to values, every fault of a body at once, and no value of it ever repeated in an answer."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.accounts.email import normalise
from gateway.accounts.passwords import LEAST_CHARACTERS, MOST_CHARACTERS
from gateway.accounts.principal import PlanId, Role, UserStatus
from shared.field_faults import sentence
from shared.problem import FieldFault

MAX_BODY = 64 * 1024

_MOST_FAULTS = 20
_LONGEST_FIELD = 100


class BadJson(Exception):
    """The body is not JSON."""


class BodyInvalid(Exception):
    """The body, or a parameter, does not say what is expected."""

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        super().__init__("The request does not say what is expected.")
        self.faults = faults


def _one_line(text: str) -> str:
    trimmed = text.strip()
    # Only these: joiners and direction marks (Cf) belong to names in Persian, Hindi and emoji.
    if any(unicodedata.category(character) == "Cc" for character in trimmed):
        raise ValueError("must not contain control characters")
    return trimmed


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("must not be blank")
    return text


_Email = Annotated[str, AfterValidator(normalise)]
_NewPassword = Annotated[str, Field(min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS)]
_Name = Annotated[str, Field(max_length=100), AfterValidator(_one_line)]


class Body(BaseModel):
    """Unknown fields are faults; `"1"` is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Registration(Body):
    email: _Email
    password: _NewPassword
    name: _Name | None = None


class Login(Body):
    """Any text is a possible address and password here: what cannot be an account simply is not one."""

    email: str
    password: str


class PasswordChange(Body):
    current_password: str
    new_password: _NewPassword


class NewKey(Body):
    name: Annotated[_Name, AfterValidator(_not_blank)]
    expires_at: AwareDatetime | None = None


class UserPatch(Body):
    plan_id: PlanId | None = None
    status: UserStatus | None = None
    role: Role | None = None


B = TypeVar("B", bound=Body)


async def read_body(request: web.Request, form: type[B]) -> B:
    """Raises BadJson, BodyInvalid, and aiohttp's 413 beyond MAX_BODY."""
    content = await request.read()
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        # The values stay out of what is raised: one of them may be a password.
        faults = error.errors(include_url=False, include_input=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        raise BadJson
    raise BodyInvalid([_field_fault(fault) for fault in faults[:_MOST_FAULTS]])


def read_page(query: Mapping[str, str], *, usual: int, most: int) -> tuple[int, str | None]:
    """`limit` and `cursor`; an empty one is as good as none. Raises BodyInvalid."""
    text = query.get("limit") or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise BodyInvalid([FieldFault("limit", f"must be a whole number from 1 to {most}")])
    return int(text), query.get("cursor") or None


def _field_fault(fault: Mapping[str, object]) -> FieldFault:
    place = fault["loc"]
    path = ".".join(str(part) for part in place) if isinstance(place, tuple) else ""
    known = fault.get("ctx")
    said = sentence(str(fault["type"]), str(fault["msg"]), known if isinstance(known, Mapping) else {})
    return FieldFault(path[:_LONGEST_FIELD], said)
