"""What pydantic finds wrong with a field, in the words that people are told."""

from collections.abc import Mapping

_SENTENCES = {
    "extra_forbidden": "is not a field of this body",
    "missing": "is required",
    "bool_type": "must be true or false",
    "datetime_from_date_parsing": "must be a moment such as 2026-01-31T12:00:00Z",
    "datetime_parsing": "must be a moment such as 2026-01-31T12:00:00Z",
    "datetime_type": "must be a moment such as 2026-01-31T12:00:00Z",
    "dict_type": "must be an object",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "model_type": "must be an object",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be a text",
    "timezone_aware": "must name its time zone, as in 2026-01-31T12:00:00Z",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
}
"""By pydantic's type of error; braces are filled from what it knows of it."""


def sentence(kind: str, message: str, known: Mapping[str, object]) -> str:
    """From the `type`, `msg` and `ctx` of one of `ValidationError.errors()`. What a validator of ours raised says itself what is wrong."""
    if known.get("field_type") == "Value":  # a secret text, which pydantic counts like a list
        kind = f"string_{kind}"
    if kind in {"string_too_short", "too_short"} and known.get("min_length") == 1:
        return "must not be empty"
    said = _SENTENCES.get(kind)
    return message.removeprefix("Value error, ") if said is None else said.format_map(known)
