"""Questions to DNS, with an answer that tells "there is none" from "nobody answered"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dns.exception
import dns.resolver

LIFETIME_SECONDS = 5.0
"""For one question, all servers and repetitions together."""
PORT = 53


@dataclass(frozen=True, slots=True)
class Answer:
    """`unreadable`: nobody answered, or with an error; nothing may be concluded from it."""

    status: Literal["found", "absent", "unreadable"]
    records: tuple[str, ...] = ()
    why: str = ""


class Dns:
    """Asks the system's resolvers, or the ones it is given."""

    def __init__(self, servers: Sequence[str] = (), *, lifetime: float = LIFETIME_SECONDS) -> None:
        """`servers` as `address` or `address:port`; all of one port. `lifetime` in seconds."""
        self._why = ""
        try:
            self._resolver = dns.resolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            self._resolver = dns.resolver.Resolver(configure=False)
            self._why = type(error).__name__
        if servers:
            split = [server.rpartition(":") if server.count(":") == 1 else (server, "", "") for server in servers]
            self._resolver.nameservers = [address or port for address, _, port in split]
            self._resolver.port = next((int(port) for _, colon, port in split if colon), PORT)
        self._resolver.lifetime = lifetime

    def txt(self, name: str) -> Answer:
        """The TXT records of a name, each one's strings joined (RFC 7208 3.3)."""
        return self._ask(name, "TXT")

    def mx(self, name: str) -> Answer:
        """The mail exchangers of a name, best first, as `preference host`."""
        return self._ask(name, "MX")

    def address(self, name: str) -> Answer:
        """The IPv4 addresses of a name, else the IPv6 ones."""
        found = self._ask(name, "A")
        return found if found.status == "found" else self._ask(name, "AAAA")

    def _ask(self, name: str, kind: str) -> Answer:
        if self._why:
            return Answer("unreadable", why=self._why)
        try:
            answer = self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer("absent")
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            return Answer("unreadable", why=type(error).__name__)
        if kind == "TXT":
            return Answer("found", tuple(b"".join(one.strings).decode("utf-8", "replace") for one in answer))
        return Answer("found", tuple(sorted(one.to_text() for one in answer)))
