"""Which host names a customer may bring."""

import pytest

from hoster.domains.hostname import HostnameRefused, challenge, checked_hostname
from hoster.domains.resolver import DnsServer, parse_server

SUFFIXES = ("apps.example.net", "panel.example.net")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.COM.", "www.example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
        ("BÜCHER.example.com", "xn--bcher-kva.example.com"),
        ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com"),
        ("example.net", "example.net"),
        ("notapps.example.net", "notapps.example.net"),
    ],
)
def test_a_name_is_kept_as_browsers_send_it(given: str, kept: str) -> None:
    assert checked_hostname(given, SUFFIXES) == kept


@pytest.mark.parametrize(
    "given",
    [
        "*.example.com", "example", "localhost", "a.localhost", "apps.example.net", "x.apps.example.net", "panel.example.net",
        "x.zexio.internal", "192.0.2.1", "[2001:db8::1]", "2001:db8::1", "a..example.com", "-a.example.com", "a_b.example.com",
        "a b.example.com", "a.example.com/x", "a.example.com:80", "http://a.example.com", "x" * 64 + ".example.com", "a.123",
        ".".join(["abcdefgh"] * 30), "a.example.com\x00", "\u2024\u2024.com", "",
    ],
)  # fmt: skip
def test_what_is_no_name_of_a_customer_is_refused(given: str) -> None:
    with pytest.raises(HostnameRefused):
        checked_hostname(given, SUFFIXES)


def test_a_proof_is_bound_to_the_deployment_and_the_name() -> None:
    first = challenge("a.example.com", "dep_1", "x.apps.example.net")
    assert first == challenge("a.example.com", "dep_1", "x.apps.example.net")
    assert first.txt_value != challenge("a.example.com", "dep_2", "x.apps.example.net").txt_value
    assert first.txt_value != challenge("b.example.com", "dep_1", "x.apps.example.net").txt_value
    assert first.txt_name == "_hoster-challenge.a.example.com"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.2", DnsServer("10.0.0.2", 53)),
        ("10.0.0.2:5353", DnsServer("10.0.0.2", 5353)),
        ("[fd00::2]:53", DnsServer("fd00::2", 53)),
        ("fd00::2", DnsServer("fd00::2", 53)),
    ],
)
def test_a_dns_server_is_an_address_with_or_without_port(text: str, server: DnsServer) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["dns.example.com", "10.0.0.2:", "10.0.0.2:99999", "10.0.0.2:0", "a:b:z"])
def test_nothing_else_is_a_dns_server(text: str) -> None:
    with pytest.raises(ValueError, match="address of a DNS server"):
        parse_server(text)
