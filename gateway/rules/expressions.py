"""CEL expressions of the route file: compiled and tried at load, run with only the variables they name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.rules.cel_engine import compile_program

if TYPE_CHECKING:
    from cel import Program

VARIABLES = frozenset(
    {
        "status", "method", "path", "request_bytes", "response_bytes", "latency_ms", "user_id", "org_id", "plan_id",
        "key_id", "route", "params", "request_headers", "response_headers",
    }
)  # fmt: skip

Source = Callable[[str], object]
"""The value of a variable by name. Only those that the expression names are asked for: passing all costs 15 times the run."""

_MACRO = re.compile(r"\.(?:all|exists|exists_one|filter|map)\s*\(")
_WORD = re.compile(r"(?<![\w.-])[a-z_]+(?![\w-])")
_SAMPLE: dict[str, object] = {
    "status": 200, "method": "POST", "path": "/a/b", "request_bytes": 1, "response_bytes": 1, "latency_ms": 1.0,
    "user_id": "u", "org_id": "o", "plan_id": "p", "key_id": "k", "route": "r",
    "params": {}, "request_headers": {}, "response_headers": {},
}  # fmt: skip


class ExpressionInvalid(Exception):
    """The expression does not compile, or names something that does not exist."""


class ExpressionFailed(Exception):
    """The expression gave no value for this request."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`names` are the variables it needs. `constant` is its value where it needs none and that is a plain one, else None."""

    source: str
    program: "Program"
    names: tuple[str, ...]
    constant: bool | float | str | None = None

    def run(self, source: Source) -> object:
        """Raises ExpressionFailed."""
        if self.constant is not None:
            return self.constant
        try:
            return self.program.execute({name: source(name) for name in self.names})
        except Exception as error:
            # CEL reports a missing map key, a division by zero or a type fault each with another class.
            raise ExpressionFailed(f"{type(error).__name__}: {error}") from error


def compile_expression(text: str) -> Expression:
    """Raises ExpressionInvalid."""
    try:
        program = compile_program(text)
    except ValueError as error:
        raise ExpressionInvalid(_first_line(error)) from error
    unknown = [name for name in program.variables() if name not in VARIABLES]
    if unknown and not _MACRO.search(text):
        raise ExpressionInvalid(f"unknown variable {unknown[0]!r}")
    _try_out(program)
    names = tuple(name for name in program.variables() if name in VARIABLES)
    return Expression(text, program, names, None if names else _constant(program))


def compile_text(text: str) -> Expression | str:
    """A header value: CEL when it compiles over our variables, else the text itself.

    Raises ExpressionInvalid for what is neither: text that names a variable of ours and does not compile.
    """
    try:
        return compile_expression(text)
    except ExpressionInvalid as error:
        if VARIABLES.isdisjoint(_WORD.findall(text)):
            return text
        raise ExpressionInvalid(
            f"{error}; text that is not CEL is written as a CEL string, \"'...'\""
        ) from error


def as_text(value: object) -> str:
    """A CEL value as a header or path; raises ExpressionFailed for what has no text, or would break a line."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (str, int, float)):
        text = str(value)
    else:
        raise ExpressionFailed(f"the value is a {type(value).__name__}, not text")
    if any(character < " " or character == "\x7f" for character in text):
        raise ExpressionFailed("the text has a control character")
    return text


def _try_out(program: "Program") -> None:
    for status in (200, 500):
        try:
            program.execute({**_SAMPLE, "status": status})
        except RuntimeError as error:
            if "Undefined" in str(error):
                raise ExpressionInvalid(_first_line(error)) from error
        except (ArithmeticError, LookupError, TypeError, ValueError):
            # The sample is not the request; what can fail only on values is judged when it runs.
            continue


def _constant(program: "Program") -> bool | float | str | None:
    try:
        value = program.execute({})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # it fails whenever it runs, and says so then
    return value if isinstance(value, bool | int | float | str) else None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
