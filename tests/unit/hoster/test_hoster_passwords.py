"""A password that is generated matches the pattern of its variable, or the template cannot be written."""

import re
from typing import Any

import pytest
import yaml

from hoster.bodies import BodyInvalid
from hoster.templates.catalog import FOLDER
from hoster.templates.document import read_document
from hoster.templates.model import Variable, VariableType
from hoster.templates.passwords import new_password
from hoster.templates.variables import NoPasswordMatches, resolve

PATTERNS = (
    "[A-Za-z0-9_.~-]{8,128}", "[0-9]{6}", "[A-F0-9]{64}", "^pk_[a-z]+$", r"\d{4,}", r"[^a-z\s]{1,12}", "[A-Z].*[!?]", r"[\]\-^]{5}",
    "[]a]{2}", "x?y", "é{3}", "a.{,9}", r"\w+\$",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_generated_password_matches_its_pattern(pattern: str) -> None:
    made = {new_password(pattern) for _ in range(50)}

    assert all(re.fullmatch(pattern, password) for password in made), made


def test_what_the_pattern_leaves_open_is_long_and_needs_no_quoting() -> None:
    assert {len(new_password(pattern)) for pattern in (None, ".{8,64}", ".*", "[a-z]+")} == {32}
    assert re.fullmatch("[A-Za-z0-9_-]{32}", new_password("[^x]{8,}"))
    assert len({new_password(None) for _ in range(100)}) == 100


@pytest.mark.parametrize("pattern", ["", "^$", r"a\b.", "[^\\x00-\\x7f]{8}", "a{2000}", "a{4000000000}"])
def test_a_password_that_cannot_be_generated_is_said_to_be_so(pattern: str) -> None:
    with pytest.raises(NoPasswordMatches):
        new_password(pattern)


def test_one_of_an_older_template_that_cannot_be_generated_must_be_given() -> None:
    variable = Variable(
        name="PIN", label="PIN", type=VariableType.PASSWORD, default=None, required=False, options=(), pattern="a{2000}"
    )  # fmt: skip
    with pytest.raises(BodyInvalid) as refused:
        resolve([variable], {}, new_password)
    assert [found.field for found in refused.value.faults] == ["variables.PIN"]
    assert resolve([variable], {"PIN": "a" * 2000}, new_password).secret == {"PIN": "a" * 2000}


@pytest.mark.parametrize(
    ("variable", "fault"),
    [
        ({"type": "password", "pattern": "a{2000}"}, "variables.0.pattern"),
        ({"type": "password", "pattern": "a{99999999999999999999}"}, "variables.0.pattern"),
        ({"type": "password", "pattern": "[0-9]{4}", "default": "abcd"}, "variables.0.default"),
        ({"type": "number", "default": "many"}, "variables.0.default"),
        ({"type": "select", "options": ["a", "b"], "default": "c"}, "variables.0.default"),
        ({"type": "select", "options": ["a", "b", "a"]}, "variables.0.options"),
        ({"type": "select", "options": ["a", ""]}, "variables.0.options"),
        ({"type": "password", "pattern": "[0-9]{2000}", "default": "0" * 2000}, None),
        ({"type": "password", "pattern": "[0-9]{4}"}, None),
        ({"type": "select", "options": ["a", "b"], "default": "b", "required": True}, None),
    ],
)
def test_a_template_whose_own_values_would_be_refused_cannot_be_written(
    variable: dict[str, Any], fault: str | None
) -> None:
    document = yaml.safe_load((FOLDER / "hello.yaml").read_text())
    document["variables"][0] = {"name": document["variables"][0]["name"], **variable}
    if fault is None:
        read_document(document)
        return
    with pytest.raises(BodyInvalid) as refused:
        read_document(document)
    assert [found.field for found in refused.value.faults] == [fault]
