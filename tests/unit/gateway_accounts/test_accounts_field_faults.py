"""What people are told of a field does not depend on which service they told it to."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from gateway.api.bodies import NewKey, Registration, UserPatch
from shared.field_faults import sentence


@pytest.mark.parametrize(
    ("form", "members", "said"),
    [
        (Registration, {"email": "ann@example.com", "password": "short"}, "must have at least 8 characters"),
        (Registration, {"email": "ann", "password": "a long password"}, "must be an e-mail address such as ann@example.com"),
        (NewKey, {}, "is required"),
        (NewKey, {"name": "ci", "scopes": []}, "is not a field of this body"),
        (NewKey, {"name": "ci", "expires_at": "soon"}, "must be a moment such as 2026-01-31T12:00:00Z"),
        (NewKey, {"name": "ci", "expires_at": "2090-01-01T00:00:00"}, "must name its time zone, as in 2026-01-31T12:00:00Z"),
        (UserPatch, {"role": "king"}, "must be 'user' or 'admin'"),
    ],
)  # fmt: skip
def test_a_field_of_an_account_is_refused_in_the_words_of_the_platform(
    form: type[BaseModel], members: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as invalid:
        form.model_validate_json(to_json(members))
    [fault] = invalid.value.errors(include_url=False, include_input=False)
    assert sentence(fault["type"], fault["msg"], fault.get("ctx", {})) == said
