"""What is wrong with a body is said in words for whoever wrote it."""

from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr, ValidationError

from hoster.bodies import BodyInvalid, Name, StrictBody, faults_of, query_choice, query_integer


class _Part(StrictBody):
    port: int = 80


class _Body(StrictBody):
    name: Name = "x"
    code: str = Field(default="abc", min_length=2, max_length=3, pattern="^[a-z]+$")
    many: list[int] = Field(default=[], max_length=1)
    some: list[int] = Field(default=[1], min_length=1)
    secret: SecretStr = Field(default=SecretStr("ab"), min_length=2, max_length=3)
    size: float = Field(default=1, ge=1, le=2, allow_inf_nan=False)
    count: int = 1
    on: bool = True
    kind: Literal["a", "b"] = "a"
    named: dict[str, str] = Field(default={})
    part: _Part = _Part()


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({"name": " \n"}, "name", "must be one line that is not blank"),
        ({"name": "\u3000"}, "name", "must be one line that is not blank"),
        ({"name": "\u00a0 \u2003"}, "name", "must be one line that is not blank"),
        ({"name": "a\u2028b"}, "name", "must be one line that is not blank"),
        ({"name": "a\u0085b"}, "name", "must be one line that is not blank"),
        ({"name": 1}, "name", "must be a text"),
        ({"code": "a"}, "code", "must have at least 2 characters"),
        ({"code": "abcd"}, "code", "must have at most 3 characters"),
        ({"code": "A1"}, "code", "must match ^[a-z]+$"),
        ({"many": [1, 2]}, "many", "must have at most 1 items"),
        ({"many": "1"}, "many", "must be a list"),
        ({"some": []}, "some", "must not be empty"),
        ({"secret": "a"}, "secret", "must have at least 2 characters"),
        ({"secret": "abcd"}, "secret", "must have at most 3 characters"),
        ({"size": 0}, "size", "must be at least 1.0"),
        ({"size": 3}, "size", "must be at most 2.0"),
        ({"size": float("inf")}, "size", "must be a finite number"),
        ({"size": "1"}, "size", "must be a number"),
        ({"count": 1.5}, "count", "must be a whole number"),
        ({"on": 1}, "on", "must be true or false"),
        ({"kind": "c"}, "kind", "must be 'a' or 'b'"),
        ({"named": []}, "named", "must be an object"),
        ({"part": 1}, "part", "must be an object"),
        ({"part": {"port": "80"}}, "part.port", "must be a whole number"),
        ({"other": 1}, "other", "is not a field of this body"),
    ],
)
def test_a_fault_names_the_field_and_says_what_it_must_be(
    members: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(ValidationError) as invalid:
        _Body.model_validate(members)
    assert [(fault.field, fault.message) for fault in faults_of(invalid.value)] == [(field, message)]


@pytest.mark.parametrize("name", ["Käse", "世界", "a\u3000b", " a ", "👩\u200d💻"])
def test_a_name_may_be_in_any_language(name: str) -> None:
    assert _Body(name=name).name == name


def test_a_parameter_without_a_value_was_not_given() -> None:
    assert query_integer({"limit": ""}, "limit", 50, (1, 200)) == 50
    assert query_choice({"volumes": ""}, "volumes", "keep", ("keep", "delete")) == "keep"
    with pytest.raises(BodyInvalid):
        query_integer({"limit": " "}, "limit", 50, (1, 200))
