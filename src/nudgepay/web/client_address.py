"""Who is asking: the peer's address, or the one that a trusted proxy names. Nothing else counts."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=8)
def networks(trusted_proxies: str) -> tuple[Network, ...]:
    """TRUSTED_PROXIES as networks: addresses or CIDR blocks, separated by commas."""
    return tuple(ip_network(part.strip(), strict=False) for part in trusted_proxies.split(",") if part.strip())


def client_address(scope: Scope, trusted_proxies: str) -> str:
    """The nearest address that is no proxy of ours, read from the right of X-Forwarded-For.

    An IPv6 address counts as its /64, because one person has all of it.
    """
    peer = scope["client"][0] if scope.get("client") else "unknown"
    trusted = networks(trusted_proxies)
    if trusted and _is_in(peer, trusted):
        named = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed([part.strip() for part in named.split(",") if part.strip()]):
            peer = hop
            if not _is_in(hop, trusted):
                break
    return _person(peer)


def client_network(scope: Scope, trusted_proxies: str) -> str:
    """The network that one person, or one attacker, may well have: a /24, or a /64 of IPv6."""
    address = client_address(scope, trusted_proxies)
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{found}/{64 if isinstance(found, IPv6Address) else 24}", strict=False))


def _is_in(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in trusted)


def _person(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{found}/64", strict=False).network_address)
    return str(found)
