"""A guard before every URL that we call: it leads to the public internet, or where it may.

What a name resolves to is checked as it is resolved for the connection, and the addresses that were
checked are the ones that are connected to: a name that leads elsewhere a moment later changes
nothing. Redirects are not followed, so that no other place comes in by the back door.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from app.kernel.errors import InvalidInput, TidingsError

MAX_URL_CHARACTERS = 2_000

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ip_network("::/96")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name."""


class ForbiddenDestination(TidingsError):
    """This leads to where nothing of ours is sent."""


class Guard:
    """Knows where requests may go."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Take the names and networks that are allowed although they are not public.

        Raises `InvalidInput` for what is neither.
        """
        self._names: set[str] = set()
        self._networks: list[IpNetwork] = []
        for place in allowed:
            self._allow(place)

    def _allow(self, place: str) -> None:
        try:
            self._networks.append(ip_network(place, strict=False))
        except ValueError:
            if not _NAME.fullmatch(_plain(place)):
                raise InvalidInput(
                    "it names hosts and networks, such as hooks.internal,10.1.0.0/16",
                    field="TIDINGS_ALLOWED_DESTINATIONS",
                ) from None
            self._names.add(_plain(place))

    def check_url(self, url: str) -> None:
        """Raise `ForbiddenDestination` for what is no URL that we call, whatever its name means."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ForbiddenDestination("it is no URL") from None
        if parts.scheme not in {"http", "https"} or not host or len(url) > MAX_URL_CHARACTERS:
            raise ForbiddenDestination("it is no URL with http or https")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenDestination("a URL that is called has no user and password")
        if parts.scheme == "http" and not self._allows_name(host) and not self._is_allowed_ip(host):
            raise ForbiddenDestination("without TLS, only what is allowed by name is called")
        if (address := _literal(host)) is not None:
            self.check_address(host, address)
        elif not _NAME.fullmatch(_plain(host)):
            # HTTP clients may read other letters and digits as ASCII, and so as an address.
            raise ForbiddenDestination("its host is neither a name in ASCII nor an address")

    def check_address(self, host: str, address: IpAddress) -> None:
        """Raise `ForbiddenDestination` unless a connection to the address, for the name, may be."""
        if self._allows_name(host) or any(address in network for network in self._networks):
            return
        if not _is_public(address):
            raise ForbiddenDestination("it leads to an address that is not public")

    def _allows_name(self, host: str) -> bool:
        return _plain(host) in self._names

    def _is_allowed_ip(self, host: str) -> bool:
        address = _literal(host)
        return address is not None and any(address in network for network in self._networks)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _literal(host: str) -> IpAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_public(address: IpAddress) -> bool:
    """Also of the IPv4 address that one of IPv6 stands for, in any of the ways there are."""
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return _is_public(inner)
        if address.scope_id is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


async def look_up(host: str, port: int) -> Sequence[str]:
    """What the system resolves a name to."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class GuardedResolver(AbstractResolver):
    """Resolves names to what may be connected to; if any of it may not, to nothing."""

    def __init__(self, guard: Guard, look_up: Lookup = look_up) -> None:
        """Take the guard, and what resolves."""
        self._guard = guard
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises `ForbiddenDestination` or `OSError`."""
        results = []
        for text in await self._look_up(host, port):
            address = ip_address(text)
            self._guard.check_address(host, address)
            of = socket.AF_INET if address.version == 4 else socket.AF_INET6
            if family in {socket.AF_UNSPEC, of}:
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=text,
                        port=port,
                        family=of,
                        proto=0,
                        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                    )
                )
        if not results:
            raise OSError("the name has no address")
        return results

    async def close(self) -> None:
        """There is nothing to close."""


def guarded_connector(guard: Guard, look_up: Lookup = look_up) -> TCPConnector:
    """Connects to where the guard lets it; what it has resolved, it does not remember."""
    resolver = GuardedResolver(guard, look_up)
    return TCPConnector(resolver=resolver, use_dns_cache=False, limit=0)
