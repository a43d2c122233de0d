"""The standard library's SMTP client with one addition: nothing outlasts the deadline of its delivery."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from nudgepay import clock


@dataclass(frozen=True, slots=True)
class Relay:
    """Where and how to speak. Seconds: `step_timeout` for one answer, `total` for one whole delivery."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    helo: str
    username: str | None = None
    step_timeout: float = 20
    total: float = 30

    @property
    def is_local(self) -> bool:
        """Speaking to it crosses no network."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


class Client(smtplib.SMTP):
    """`renew` starts the clock of a delivery; every send and every read is cut at what is left of it."""

    def __init__(self, relay: Relay, context: ssl.SSLContext) -> None:
        """Connect and read the greeting. Raises OSError or SMTPException."""
        self._relay = relay
        self._tls = context
        self.renew()
        super().__init__(relay.host, relay.port, local_hostname=relay.helo, timeout=relay.step_timeout)

    def renew(self) -> None:
        """A new delivery begins now."""
        self._ends = clock.monotonic() + self._relay.total

    def next_step(self) -> float:
        """Seconds that the next answer may take; raises TimeoutError when the delivery's time is over."""
        left = self._ends - clock.monotonic()
        if left <= 0:
            raise TimeoutError("the delivery took too long")
        return min(self._relay.step_timeout, left)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout=self.next_step())
        if self._relay.security != "tls":
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """One answer. What the relay sent in clear before TLS is dropped with the old reader."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock, self)
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise error.__context__ from None
            raise

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # any buffer in typeshed
        """Send all of it within the next step."""
        if self.sock is not None:
            self.sock.settimeout(self.next_step())
        super().send(s)


class _Lines:
    """Reads lines; a relay that drips a byte now and then gains no time by it."""

    def __init__(self, sock: socket.socket, client: Client) -> None:
        self._sock = sock
        self._client = client
        self._waiting = b""

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self._waiting and len(self._waiting) < limit:
            self._sock.settimeout(self._client.next_step())
            received = self._sock.recv(8192)
            if not received:
                break
            self._waiting += received
        end = min(self._waiting.find(b"\n") + 1 or len(self._waiting), limit)
        line, self._waiting = self._waiting[:end], self._waiting[end:]
        return line

    def close(self) -> None:
        """The socket belongs to the client."""
