"""Filling in a template's variables: types, defaults, required ones, generated passwords."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hoster.bodies import BodyInvalid
from hoster.templates.model import Scalar, Variable, VariableType
from hoster.templates.stack import ENVIRONMENT_NAME
from shared.environment import LONGEST_ENTRY, EnvironmentInvalid, check_environment
from shared.problem import FieldFault

VALUE_MOST = 32_768
_NAME_MOST = 256

NewPassword = Callable[[str | None], str]
"""Takes the pattern that the password must match. Raises NoPasswordMatches."""


class NoPasswordMatches(Exception):
    """The pattern is one that only people find a text for."""


@dataclass(frozen=True, slots=True)
class Values:
    """`shown` may be shown to their owner; `secret` is sealed before it is written."""

    shown: Mapping[str, Scalar]
    secret: Mapping[str, str]

    def texts(self) -> dict[str, str]:
        """As they go into an environment."""
        return {**{name: as_text(value) for name, value in self.shown.items()}, **self.secret}

    def same_as(self, other: "Values") -> bool:
        """To Python `true` equals 1; to an environment it does not."""
        return self.secret == other.secret and _typed(self.shown) == _typed(other.shown)


def _typed(values: Mapping[str, Scalar]) -> dict[str, tuple[type, Scalar]]:
    return {name: (type(value), value) for name, value in values.items()}


NO_VALUES = Values({}, {})


def as_text(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def resolve(variables: Iterable[Variable], given: Mapping[str, Scalar], new_password: NewPassword) -> Values:
    """Raises BodyInvalid naming each `variables.NAME`. A password without a value is generated."""
    declared = {variable.name: variable for variable in variables}
    faults = [
        FieldFault(f"variables.{name}", "is not a variable of this template")
        for name in given
        if name not in declared
    ]
    shown: dict[str, Scalar] = {}
    secret: dict[str, str] = {}
    for name, variable in declared.items():
        value = given.get(name, variable.default)
        wrong = None
        if value in (None, "") and variable.type is VariableType.PASSWORD:
            try:
                value = new_password(variable.pattern)
            except NoPasswordMatches:  # of a template from before this was asked of authors
                wrong = f"must match {variable.pattern}, and cannot be generated"
        wrong = wrong or wrong_with(variable, value)
        if wrong is not None:
            faults.append(FieldFault(f"variables.{name}", wrong))
        elif variable.type is VariableType.PASSWORD:
            secret[name] = str(value)
        else:
            shown[name] = "" if value is None else value
    if faults:
        raise BodyInvalid(faults)
    return Values(shown, secret)


def plain(given: Mapping[str, Scalar]) -> Values:
    """For a deployment without a template: every variable becomes one of the environment. Raises BodyInvalid."""
    faults = [
        FieldFault(f"variables.{name}", "is not a name of an environment variable")
        for name in given
        if ENVIRONMENT_NAME.fullmatch(name) is None
    ]
    faults += [
        FieldFault(f"variables.{name}", wrong)
        for name, wrong in ((name, _unusable(value)) for name, value in given.items())
        if wrong is not None
    ]
    if faults:
        raise BodyInvalid(faults)
    try:
        check_environment({name: as_text(value) for name, value in given.items()})
    except EnvironmentInvalid as invalid:
        raise BodyInvalid.of("variables", str(invalid)) from None
    return Values(dict(given), {})


def wrong_with(variable: Variable, value: Scalar | None) -> str | None:
    """What a variable cannot have this value for; None when it can."""
    if value is None or value == "":
        return "is required" if variable.required else None
    if not _has_type(variable.type, value):
        return (
            f"must be a {'text' if variable.type is not VariableType.NUMBER else 'number'}"
            if (variable.type is not VariableType.BOOLEAN)
            else "must be true or false"
        )
    if variable.options and value not in variable.options:
        return f"must be one of {', '.join(variable.options)}"
    unusable = _unusable(value)
    if unusable is not None:
        return unusable
    if variable.pattern is not None and re.fullmatch(variable.pattern, as_text(value)) is None:
        return f"must match {variable.pattern}"
    return None


def _has_type(wanted: VariableType, value: Scalar) -> bool:
    if wanted is VariableType.BOOLEAN:
        return isinstance(value, bool)
    if wanted is VariableType.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _unusable(value: Scalar) -> str | None:
    """What no environment can carry (POSIX: no NUL), or no JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    text = as_text(value)
    if "\0" in text:
        return "may not contain a NUL character"
    if len(text) > VALUE_MOST or len(text.encode()) + _NAME_MOST + 1 > LONGEST_ENTRY:
        return f"is longer than {VALUE_MOST} characters"
    return None
