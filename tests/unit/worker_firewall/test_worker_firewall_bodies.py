"""What a change of the firewall may say."""

import json

import pytest

from worker.firewall.api import ConfigureBody
from worker.requests import RequestInvalid, members_of, parse_body


@pytest.mark.parametrize(
    "source", ["fe80::%eth0", "fe80::%0 } accept", "10.0.0.1/8", "10.0.0.0/8 } accept", ""]
)
def test_only_a_network_goes_into_the_ruleset(source: str) -> None:
    body = {"rules": [{"port": 80, "sources": [source]}]}

    with pytest.raises(RequestInvalid, match="must be networks"):
        parse_body(ConfigureBody, json.dumps(body).encode())


def test_a_body_that_is_nested_without_end_has_no_members() -> None:
    assert members_of(b'{"port":' + b"[" * 100_000) == frozenset()
    assert members_of(b'{"port":1}') == frozenset({"port"})
