"""What the way out of a wall lets through: names, addresses, patterns."""

from __future__ import annotations

import ipaddress

import pytest

from autogen.coding.egress import Destination, Egress, Refusal, is_public, parse_destination
from autogen.errors import UsageError


@pytest.mark.parametrize(
    "text, host, port",
    [
        ("example.org", "example.org", 80),
        ("EXAMPLE.org:8443", "example.org", 8443),
        ("example.org.", "example.org", 80),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", 80),
        ("1.example", "1.example", 80),
        ("93.184.216.34:443", "93.184.216.34", 443),
        ("[2606:4700::1111]:443", "2606:4700::1111", 443),
        ("[2606:4700:0:0::1111]", "2606:4700::1111", 80),
    ],
)
def test_destinations_have_one_form(text, host, port):
    assert parse_destination(text, usual_port=80) == Destination(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.0.0.01",
        "1.2.3.4.5",
        "example.123",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fe80::1%eth0]",
        "::1",
        "[127.0.0.1]",
        "\uff11\uff12\uff17.0.0.1",
        "bücher.example",
        "exa mple.org",
        "user@example.org",
        "example.org%2e",
        "example.org\\@other",
        "a..b",
        "-a.example",
        "",
        "[",
        "x" * 64 + ".example",
        ".".join(["x" * 60] * 5),
        "example.org:0",
        "example.org:65536",
        "example.org:http",
        "example.org:٨٠",
    ],
)
def test_disguises_and_malformed_hosts_are_refused(text):
    with pytest.raises(Refusal) as refused:
        parse_destination(text, usual_port=80)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "text",
    """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1
    203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:db8::1
    2002:808:808:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
    """.split(),
)
def test_address_that_leads_inside_is_not_public(text):
    assert not is_public(ipaddress.ip_address(text))
    with pytest.raises(Refusal, match="not on the public network"):
        Egress().admit_address(Destination("a.example", 443), ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "2a00::1"])
def test_address_of_the_public_network_is_public(text):
    assert is_public(ipaddress.ip_address(text))


def test_own_public_address_is_refused(monkeypatch):
    monkeypatch.setattr("autogen.coding.egress.is_own", lambda address: True)
    with pytest.raises(Refusal, match=r"allow it with network=\['8.8.8.8', ...\]"):
        Egress().admit(Destination("8.8.8.8", 443))


@pytest.mark.parametrize(
    "patterns, host, port, allowed",
    [
        (["*"], "any.example", 443, True),
        (["*"], "any.example", 8443, False),
        (["*:8443"], "any.example", 8443, True),
        (["*:8443"], "any.example", 443, False),
        (["a.example"], "a.example", 80, True),
        (["A.Example"], "a.example", 80, True),
        (["a.example"], "b.a.example", 443, False),
        (["a.example"], "xa.example", 443, False),
        (["*.a.example"], "b.a.example", 443, True),
        (["*.a.example"], "c.b.a.example", 443, True),
        (["*.a.example"], "a.example", 443, False),
        (["*.a.example"], "xa.example", 443, False),
        (["a.example:8443"], "a.example", 8443, True),
        (["a.example:8443"], "a.example", 443, False),
        (["10.0.0.5:8000"], "10.0.0.5", 8000, True),
        (["10.0.0.5:8000"], "10.0.0.5", 8001, False),
        (["*"], "10.0.0.5", 80, False),
        (["[fd00::1]:8000"], "fd00::1", 8000, True),
        ([], "a.example", 443, False),
    ],
)
def test_patterns_say_what_is_reached(patterns, host, port, allowed):
    if allowed:
        Egress(patterns).admit(Destination(host, port))
    else:
        with pytest.raises(Refusal, match=r"network=\["):
            Egress(patterns).admit(Destination(host, port))


def test_inner_address_of_a_name_is_reached_only_where_it_stands_in_the_list():
    name, address = Destination("in.example", 8000), ipaddress.ip_address("10.0.0.5")
    with pytest.raises(Refusal, match=r"network=\['10.0.0.5:8000', ...\]"):
        Egress(["in.example:8000", "*:8000"]).admit_address(name, address)
    Egress(["in.example:8000", "10.0.0.5:8000"]).admit_address(name, address)


def test_localhost_on_the_list_is_the_hosts():
    Egress(["localhost:8000"]).admit_address(
        Destination("localhost", 8000), ipaddress.ip_address("127.0.0.1")
    )
    assert Egress(["localhost:8000", "127.0.0.1:8000"]).bypass() == "::1"
    assert Egress().bypass() == "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    "pattern",
    ["", "http://a.example", "a.example/x", "*a.example", "a.*.example", "*.10.0.0.1", "10.0.0.0/8",
     "a.example:0", "127.1", 5, None],
)  # fmt: skip
def test_pattern_that_means_nothing_is_refused(pattern):
    with pytest.raises(UsageError, match="network has"):
        Egress([pattern])
