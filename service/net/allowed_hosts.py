"""Which addresses are asked on behalf of a user: public ones, and those that the operator lists.

Pure but for `resolve`. What a name stands for is looked up once, and what was looked up is what is connected to, so
that a name cannot mean one address when it is checked and another when it is used.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.errors import InputRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
WEB_SCHEMES = ("https://", "http://")
HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
LETTER = re.compile("[a-z]")
# The metadata services of Azure and Oracle, whose addresses look like everybody's.
METADATA_NETWORKS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
NAT64_NETWORK = ipaddress.ip_network("64:ff9b::/96")
# Of IPv6, nothing else is public. Some of the rest is not listed as private, and can lead to any IPv4 address: NAT64
# of a site's own (64:ff9b:1::/48), compatible and translated addresses (::/96, ::ffff:0:0:0/96).
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
REMEDY = "if it is to be asked, have the operator name it in SALIENCE_ALLOWED_HOSTS"


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts and networks that may be asked though they are not public."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> "AllowedHosts":
        """Of names, addresses and networks such as minio.storage.svc, 10.1.2.3, 10.0.0.0/8. Raises ValueError."""
        names, networks = set(), []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]")))
            except ValueError as error:
                if not HOST_NAME.fullmatch(entry.lower()) or not LETTER.search(entry.lower()):
                    raise ValueError(f"{entry!r} is no host, address or network: {error}") from error
                names.add(entry.lower())
        return cls(frozenset(names), tuple(networks))

    def resolve(self, host: str, port: int) -> Sequence[Address]:
        """The addresses that may be connected to for a host. Raises InputRefused, and OSError for an unknown name."""
        plain = host.strip("[]").rstrip(".").lower()
        found = socket.getaddrinfo(plain, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ipaddress.ip_address(each[4][0]) for each in found))
        for address in addresses:
            self._check(plain, address)
        return addresses

    def check_literal(self, uri: str) -> None:
        """Raise InputRefused for a web address that is refused whatever names stand for; others are checked in use."""
        try:
            host = (urlsplit(uri).hostname or "").rstrip(".").lower()
        except ValueError:
            host = ""
        if not host:
            raise InputRefused(reason=f"{uri!r} is not an address")
        if host == "localhost" or host.endswith(".localhost"):
            self._check(host, ipaddress.ip_address("127.0.0.1"))
        address = _parse_literal(host)
        if address is not None:
            self._check(host, address)

    def _check(self, host: str, address: Address) -> None:
        if host in self.names or any(address in network for network in self.networks):
            return
        if any(not _is_public(each) for each in _embedded_addresses(address)):
            message = str(address) if host == str(address) else f"{host} ({address})"
            raise InputRefused(reason=f"{message} is not a public address; {REMEDY}")


PUBLIC_ONLY = AllowedHosts()


def is_loopback(host: str | None) -> bool:
    """Whether an address, or `localhost`, is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def _parse_literal(host: str) -> Address | None:
    """The address that a host is, however it is written; None of a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 2130706433, 0x7f000001
    except (OSError, ValueError):
        return None


def _is_public(address: Address) -> bool:
    if address.version == 6 and address not in GLOBAL_UNICAST and address not in NAT64_NETWORK:
        return False
    return address.is_global and not address.is_multicast and not any(address in each for each in METADATA_NETWORKS)


def _embedded_addresses(address: Address) -> Iterator[Address]:
    """An address, and the IPv4 addresses that some IPv6 ones only wrap."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        if address in NAT64_NETWORK:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
