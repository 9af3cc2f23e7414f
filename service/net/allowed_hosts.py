"""Decides which hosts the service may contact for a user: public addresses, and hosts that the operator lists.

All functions but `resolve` are pure. A name is resolved once and the client connects to the resolved address, so a name
cannot change its address between check and use.
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
# The metadata services of Azure and Oracle, which have public-looking addresses.
METADATA_NETWORKS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
NAT64_NETWORK = ipaddress.ip_network("64:ff9b::/96")
# All other IPv6 addresses count as private. Some of them are not registered as private but can reach any IPv4 address:
# local NAT64 prefixes (64:ff9b:1::/48), IPv4-compatible and translated addresses (::/96, ::ffff:0:0:0/96).
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
REMEDY = "to allow it, the operator can add it to SALIENCE_ALLOWED_HOSTS"


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts and networks that the service may contact although they are not public."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> "AllowedHosts":
        """Parse names, addresses and networks such as minio.storage.svc, 10.1.2.3, 10.0.0.0/8. Raises ValueError."""
        names, networks = set(), []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]")))
            except ValueError as error:
                if not HOST_NAME.fullmatch(entry.lower()) or not LETTER.search(entry.lower()):
                    raise ValueError(f"{entry!r} is not a host, address or network: {error}") from error
                names.add(entry.lower())
        return cls(frozenset(names), tuple(networks))

    def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host. Raises InputRefused if one is not allowed, OSError if the name is unknown."""
        plain = host.strip("[]").rstrip(".").lower()
        found = socket.getaddrinfo(plain, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ipaddress.ip_address(each[4][0]) for each in found))
        for address in addresses:
            self._check(plain, address)
        return addresses

    def check_literal(self, uri: str) -> None:
        """Raise InputRefused for a URL whose host is a literal address that is not allowed.

        Names are checked when a connection is opened.
        """
        try:
            host = (urlsplit(uri).hostname or "").rstrip(".").lower()
        except ValueError:
            host = ""
        if not host:
            raise InputRefused(reason=f"{uri!r} has no valid host")
        if host == "localhost" or host.endswith(".localhost"):
            self._check(host, ipaddress.ip_address("127.0.0.1"))
        address = _parse_literal(host)
        if address is not None:
            self._check(host, address)

    def _check(self, host: str, address: Address) -> None:
        if host in self.names or any(address in network for network in self.networks):
            return
        if any(not _is_public(each) for each in _embedded_addresses(address)):
            shown = str(address) if host == str(address) else f"{host} ({address})"
            raise InputRefused(reason=f"{shown} is not a public address; {REMEDY}")


PUBLIC_ONLY = AllowedHosts()


def is_loopback(host: str | None) -> bool:
    """Whether a host is `localhost` or a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def _parse_literal(host: str) -> Address | None:
    """Return the address if the host is an address in any notation; None if it is a name."""
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
    """Yield an address, and the IPv4 addresses that it embeds if it is an IPv6 address."""
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
