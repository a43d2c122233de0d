"""The relay's side of one SMTP conversation (RFC 5321, 3207, 4954, 1870, 6152), obeying a script."""

import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from nudgepay.gateways.fakes.smtp_turns import Script, Turn

PATH = re.compile(r"(?i)^(?:FROM|TO):<([^<>\s]*)>((?: \S+)*)$")
DRIP_SECONDS = 0.2
MAX_MESSAGE = 10_000_000


@dataclass(frozen=True, slots=True)
class Manners:
    """What the relay offers and asks for. `idle_seconds`: it hangs up on a silent client.

    `idempotency_header`: a second message with the same value is answered like the first, and not kept.
    """

    hostname: str = "sink.example"
    tls: ssl.SSLContext | None = None
    offers_starttls: bool = False
    implicit_tls: bool = False
    credentials: tuple[str, str] | None = None
    idle_seconds: float = 30
    idempotency_header: str | None = None


@dataclass(slots=True)
class Arrival:
    """A letter as it came. `data_at`: when DATA was asked for, in seconds on the sink's monotonic clock."""

    sender: str
    recipients: list[str] = field(default_factory=list)
    content: bytes = b""
    encrypted: bool = False
    data_at: float = 0
    turn: Turn = field(default_factory=Turn)


class HungUp(Exception):
    """The conversation is over."""


class Session(threading.Thread):
    """One client; ends when it leaves, falls silent, or the script says so."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        manners: Manners,
        script: Script,
        keep: Callable[[Arrival], None],
        heard: Callable[[str], None],
        monotonic: Callable[[], float],
        closing: threading.Event,
    ) -> None:
        """`keep` is called with a letter before it is answered, `heard` with each command, in this thread."""
        super().__init__(daemon=True, name="smtp-sink-session")
        self._sock = sock
        self._manners = manners
        self._script = script
        self._keep = keep
        self._heard = heard
        self._monotonic = monotonic
        self._closing = closing
        self._buffer = b""
        self._encrypted = False
        self._signed_in = manners.credentials is None
        self._greeted = False
        self._letter: Arrival | None = None

    def run(self) -> None:
        """Speak until it is over."""
        try:
            self._sock.settimeout(self._manners.idle_seconds)
            if self._manners.implicit_tls:
                self._encrypt()
            self._say(220, f"{self._manners.hostname} ESMTP")
            while True:
                self._obey(self._line().decode("ascii", "replace").rstrip("\r\n"))
        except TimeoutError:
            with suppress(OSError):
                self._say(421, "4.4.2 silent for too long")
        except (HungUp, OSError):
            return
        finally:
            self._drop_letter()
            self._sock.close()

    def hang_up(self) -> None:
        """Cut the connection from outside the session's thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self._heard(verb.upper())
        handler = {
            "EHLO": self._ehlo,
            "HELO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._reset,
            "NOOP": lambda _: self._say(250, "2.0.0 ok"),
            "VRFY": lambda _: self._say(252, "2.5.2 cannot say"),
            "QUIT": self._quit,
        }.get(verb.upper())
        if handler is None:
            self._say(500, "5.5.2 no such command")
        else:
            handler(rest)

    def _ehlo(self, name: str) -> None:
        if not name.strip():
            self._say(501, "5.5.4 a name is needed")
            return
        self._greeted = True
        self._drop_letter()
        offers = [self._manners.hostname, f"SIZE {MAX_MESSAGE}", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self._manners.offers_starttls and not self._encrypted:
            offers.append("STARTTLS")
        if self._manners.credentials is not None:
            offers.append("AUTH PLAIN")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self._send("".join(f"{line}\r\n" for line in lines).encode())

    def _starttls(self, _: str) -> None:
        if not self._manners.offers_starttls or self._encrypted:
            self._say(502, "5.5.1 not offered")
            return
        self._say(220, "2.0.0 go ahead")
        self._encrypt()
        self._greeted, self._buffer = False, b""

    def _encrypt(self) -> None:
        if self._manners.tls is None:
            raise HungUp
        self._sock = self._manners.tls.wrap_socket(self._sock, server_side=True)
        self._encrypted = True

    def _auth(self, rest: str) -> None:
        mechanism, _, given = rest.partition(" ")
        if mechanism.upper() != "PLAIN" or not given:
            self._say(504, "5.5.4 AUTH PLAIN with its answer, please")
            return
        _, user, password = base64.b64decode(given).decode().split("\0")
        self._signed_in = (user, password) == self._manners.credentials
        self._say(*((235, "2.7.0 welcome") if self._signed_in else (535, "5.7.8 wrong credentials")))

    def _mail(self, rest: str) -> None:
        match = PATH.match(rest)
        if not self._greeted or self._letter is not None:
            self._say(503, "5.5.1 not now")
        elif not self._signed_in:
            self._say(530, "5.7.0 sign in first")
        elif match is None:
            self._say(501, "5.5.4 no such path")
        elif (turn := self._script.on_mail()) is not None:
            self._react(turn, turn.code, turn.text)
        else:
            self._letter = Arrival(sender=match[1], encrypted=self._encrypted)
            self._say(250, "2.1.0 ok")

    def _rcpt(self, rest: str) -> None:
        match = PATH.match(rest)
        if self._letter is None:
            self._say(503, "5.5.1 MAIL first")
        elif match is None:
            self._say(501, "5.1.3 no such path")
        else:
            self._letter.turn = self._script.on_recipient(match[1])
            if self._letter.turn.stage == "RCPT":
                self._react(self._letter.turn, self._letter.turn.code, self._letter.turn.text)
                return
            self._letter.recipients.append(match[1])
            self._say(250, "2.1.5 ok")

    def _data(self, _: str) -> None:
        letter = self._letter
        if letter is None or not letter.recipients:
            self._say(503, "5.5.1 RCPT first")
            return
        letter.data_at = self._monotonic()
        if letter.turn.stage == "DATA":
            self._letter = None
            self._react(letter.turn, letter.turn.code, letter.turn.text)
            return
        self._say(354, "end with a dot")
        letter.content = self._content()
        self._letter = None
        if letter.turn.stored:
            self._keep(letter)
        self._react(letter.turn, letter.turn.code, letter.turn.text)

    def _content(self) -> bytes:
        lines = []
        while (line := self._line()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _drop_letter(self) -> None:
        letter, self._letter = self._letter, None
        if letter is not None and letter.recipients:
            self._script.give_back(letter.recipients[0], letter.turn)

    def _reset(self, _: str) -> None:
        self._drop_letter()
        self._say(250, "2.0.0 forgotten")

    def _quit(self, _: str) -> None:
        self._say(221, "2.0.0 bye")
        raise HungUp

    def _react(self, turn: Turn, code: int, text: str) -> None:
        if turn.manner == "hang_up":
            raise HungUp
        if turn.manner == "silence":
            self._wait_for_the_client_to_leave()
        answer = f"{code} {text}\r\n".encode()
        if turn.manner == "drip":
            for position in range(len(answer) - 2):
                self._send(answer[position : position + 1])
                if self._closing.wait(DRIP_SECONDS):
                    raise HungUp
            answer = answer[-2:]
        self._send(answer)
        if code == 421:
            raise HungUp

    def _wait_for_the_client_to_leave(self) -> None:
        while not self._closing.is_set():
            if not self._sock.recv(1024):
                break
        raise HungUp

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            received = self._sock.recv(65536)
            if not received or len(self._buffer) > MAX_MESSAGE:
                raise HungUp
            self._buffer += received
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line + b"\r\n"

    def _say(self, code: int, text: str) -> None:
        self._send(f"{code} {text}\r\n".encode())

    def _send(self, data: bytes) -> None:
        self._sock.sendall(data)
