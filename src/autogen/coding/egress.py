"""What code behind a wall may reach: the rules, and the judgement of names and addresses.

`gate.py` serves them. A name is resolved by the host and every answer is judged here, so a name
that somebody points at an inner address gets nobody in. Plain values, no sockets but the one that
asks whether an address is this machine's own.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["Destination", "Egress", "Refusal", "parse_destination"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

USUAL_PORTS = (80, 443)

# Source: IANA IPv4 Special-Purpose Address Registry, and RFC 5771 for multicast. Written out,
# because what `is_global` says differs between versions of Python.
INNER_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        """
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
        192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
        224.0.0.0/4 240.0.0.0/4
        """.split(),
    )
)
#: Of IPv6 only what is handed out for the public network. Source: IANA IPv6 Global Unicast Address
#: Assignments.
OUTER_V6 = ipaddress.IPv6Network("2000::/3")
# Protocol assignments with Teredo, 6to4, and two ranges for documentation.
INNER_V6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
#: Answers cloud machines with their keys, from an address that is public by its looks (Azure).
METADATA = ipaddress.IPv4Address("168.63.129.16")

NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)
#: What the C library takes for (part of) an address: 127.1, 0177.1, 0x7f000001, 2130706433.
NUMERIC_END = re.compile(r"(.*\.)?(0[xX][0-9A-Fa-f]*|[0-9]+)", re.ASCII)
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)


class Refusal(Exception):
    """Why something is not reached.

    Attributes:
        status: That of the HTTP answer.
        pattern: What would allow it, where a person may on the spot; None where nobody may.
    """

    def __init__(self, reason: str, *, status: int = 403, pattern: str | None = None):
        super().__init__(reason)
        self.status = status
        self.pattern = pattern


@dataclass(frozen=True, slots=True)
class Destination:
    """A host, as a name in small letters or an address in its usual form, and a port."""

    host: str
    port: int

    @property
    def address(self) -> Address | None:
        """The host, if it is an address."""
        return _address(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_destination(text: str, *, usual_port: int | None = None) -> Destination:
    """The destination that the authority of a URL names.

    Addresses are taken in their one usual spelling only: what reads differently to different
    programs would be judged as one thing and used as another.

    Raises:
        Refusal: It is malformed, or an address in disguise.
    """
    found = AUTHORITY.fullmatch(text)
    port = int(found[2]) if found and found[2] else usual_port
    if found is None or port is None or not 0 < port < 65536:
        raise Refusal("the host or port is malformed", status=400)
    host = _plain_host(found[1])
    if host is None:
        raise Refusal("the host is malformed, or an address in an unusual spelling", status=400)
    return Destination(host, port)


def _plain_host(text: str) -> str | None:
    """A host in its one spelling; None if it is none or has another."""
    if text.startswith("["):
        address = _address(text.strip("[]"))
        if not isinstance(address, ipaddress.IPv6Address) or _embeds_v4(address):
            return None
        return str(address)
    if isinstance(_address(text), ipaddress.IPv4Address):
        return text
    name = text.removesuffix(".").lower()
    if len(name) > 253 or not NAME.fullmatch(name) or NUMERIC_END.fullmatch(name):
        return None
    return name


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _embeds_v4(address: ipaddress.IPv6Address) -> bool:
    """Whether an IPv4 address is wrapped in this one: mapped, compatible, 6to4 or Teredo."""
    return bool(address.ipv4_mapped or address.sixtofour or address.teredo) or (
        int(address) >> 32 == 0 and int(address) > 1
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern: a host, `*`, or `*.` and a name; and its port, None for the usual ones."""

    host: str
    port: int | None

    def covers(self, host: str, port: int) -> bool:
        if port not in ((self.port,) if self.port else USUAL_PORTS):
            return False
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


class Egress:
    """What may be reached: hosts on the list, at public addresses.

    An address that is not public is reached only where it stands in the list itself.

    Args:
        patterns: `api.example.com`, `*.example.org` (every name below), `*` (every host),
            `192.0.2.7`, `[2001:db8::1]`, each with `:port` or for ports 80 and 443.

    Raises:
        UsageError: A pattern cannot be understood.
    """

    def __init__(self, patterns: Sequence[str] = ("*",)):
        self.patterns = tuple(patterns)
        self._rules = tuple(map(_parse_pattern, self.patterns))
        self._allowed: tuple[_Rule, ...] = ()

    def allow(self, pattern: str) -> None:
        """Let one more host through, at its public addresses only. Any thread."""
        self._allowed = (*self._allowed, _parse_pattern(pattern))

    def admit(self, destination: Destination) -> None:
        """Judge what was asked for, before any look-up.

        Raises:
            Refusal: It is not on the list.
        """
        host, port = destination.host, destination.port
        if self._covers(host, port):
            address = destination.address
            if address is not None:
                self.admit_address(destination, address)
            return
        pattern = _pattern(destination) if _may_be_public(destination) else None
        if any(rule.covers(host, rule.port or USUAL_PORTS[0]) for rule in self._rules):
            reason = f"port {port} of {host} is not allowed; {_way(destination)}"
        else:
            reason = f"{host} is not on the list of hosts; {_way(destination)}"
        raise Refusal(reason, pattern=pattern)

    def admit_address(self, destination: Destination, address: Address) -> None:
        """Judge one address that the host of `destination` stands for.

        Raises:
            Refusal: It is not public and does not stand in the list.
        """
        named = _Rule(str(address), None)
        if any(
            rule.host == named.host and rule.covers(named.host, destination.port)
            for rule in self._rules
        ):
            return
        if destination.host == "localhost" and self._names("localhost") and address.is_loopback:
            return
        if is_public(address) and not is_own(address):
            return
        raise Refusal(
            f"{destination.host} has the address {address}, which is not on the public network; "
            f"{_way(Destination(str(address), destination.port))}"
        )

    def bypass(self) -> str:
        """The value of NO_PROXY: loopback stays inside, unless the list has the host's."""
        inside = ("localhost", "127.0.0.1", "::1")
        return ",".join(host for host in inside if not self._names(host))

    def _names(self, host: str) -> bool:
        return any(rule.host == host for rule in self._rules)

    def _covers(self, host: str, port: int) -> bool:
        return any(rule.covers(host, port) for rule in (*self._rules, *self._allowed))


def _may_be_public(destination: Destination) -> bool:
    """Whether it is worth asking for. What a name stands for shows when it is resolved."""
    address = destination.address
    if address is not None:
        return is_public(address) and not is_own(address)
    return destination.host.rpartition(".")[2] != "localhost"


def _pattern(destination: Destination) -> str:
    text = str(destination)
    return text.rpartition(":")[0] if destination.port in USUAL_PORTS else text


def _way(destination: Destination) -> str:
    """How to allow it."""
    return f"whoever runs this can allow it with network=['{_pattern(destination)}', ...]"


def _parse_pattern(text: object) -> _Rule:
    found = AUTHORITY.fullmatch(text) if isinstance(text, str) else None
    if found is not None:
        host, port = found[1], int(found[2]) if found[2] else None
        star = "*." if host.startswith("*.") else ""
        plain = "*" if host == "*" else _plain_host(host.removeprefix(star))
        is_wild_address = bool(star) and plain is not None and _address(plain) is not None
        if plain is not None and not is_wild_address and (port is None or 0 < port < 65536):
            return _Rule(star + plain, port)
    raise UsageError(
        f"network has {text!r}; expected a host like 'api.example.com', '*.example.org', "
        "'example.com:8443' or an address."
    )


def is_public(address: Address) -> bool:
    """Whether `address` is one of the public network, and nothing that leads back in."""
    if isinstance(address, ipaddress.IPv4Address):
        return address != METADATA and not any(address in network for network in INNER_V4)
    return address in OUTER_V6 and not any(address in network for network in INNER_V6)


def is_own(address: Address) -> bool:
    """Whether `address` is this machine's own, a public one too: only such can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
