"""From the bytes of a request to typed values, with every fault named and no value quoted."""

import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.problem import FieldFault
from worker.errors import QueryInvalid

_OURS = "Value error, "
"""What pydantic writes before the sentence of a check of ours."""


class RequestInvalid(Exception):
    """The body is not what the route takes."""

    def __init__(self, faults: list[FieldFault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = faults


class Body(BaseModel):
    """Unknown members are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_B = TypeVar("_B", bound=Body)


def parse_body(model: type[_B], raw: bytes) -> _B:
    """An empty body is `{}`. Raises RequestInvalid."""
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestInvalid(
            [
                FieldFault(
                    ".".join(str(part) for part in fault["loc"]) or "body", fault["msg"].removeprefix(_OURS)
                )
                for fault in faults
            ]
        ) from None


def members_of(raw: bytes) -> frozenset[str]:
    """The names in a JSON object; empty for anything else, whose faults `parse_body` tells."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(value) if isinstance(value, dict) else frozenset()


def whole_number(query: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """Raises QueryInvalid."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise QueryInvalid(name, f"must be a whole number from {least} to {most}")
    return int(text)


def one_of(query: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Raises QueryInvalid."""
    text = query.get(name, default)
    if text not in allowed:
        raise QueryInvalid(name, f"must be one of {', '.join(allowed)}")
    return text
