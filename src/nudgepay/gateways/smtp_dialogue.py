"""One conversation with a relay, spoken step by step, so that every answer means what it must."""

import re
import select
import smtplib
import ssl
from collections.abc import Callable
from typing import NoReturn

from nudgepay import clock
from nudgepay.gateways.mail import (
    Envelope,
    MailError,
    OutcomeUnknown,
    Receipt,
    SenderNotReady,
    TooLate,
    ensure_address,
    shortened,
)
from nudgepay.gateways.smtp_client import Client, Relay
from nudgepay.gateways.smtp_replies import Stage, not_ready, refusal

BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
LEADING_DOT = re.compile(rb"(?m)^\.")


class Conversation:
    """An open connection, encrypted and signed in as the relay's settings ask, for letter after letter."""

    def __init__(self, relay: Relay, context: ssl.SSLContext, password: Callable[[], str | None]) -> None:
        """Connect, or raise SenderNotReady. A credential never crosses a network in clear."""
        self.used_at = clock.monotonic()
        self.carried = 0
        self.is_open = True
        try:
            self._client = Client(relay, context)
        except (OSError, smtplib.SMTPException) as error:
            raise not_ready(error) from error
        try:
            _secure(self._client, relay, context)
            _sign_in(self._client, relay, password)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise not_ready(error) from error
        except MailError:
            self.close()
            raise

    def carry(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """One letter: MAIL, RCPT, the last question, DATA, the final word. Raises as MailTransport.deliver does.

        The question is put twice, before DATA and again before the first byte of the message, so that a process
        that was frozen in between keeps the letter back.
        """
        self._client.renew()
        content = on_the_wire(envelope.mime)
        try:
            self._address(envelope, content)
            if not may_begin():
                self._forget_letter()
                raise TooLate("the last look is too old: not one byte of the message was sent")
            code, reply = self._client.docmd("DATA")
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise not_ready(error) from error
        if code != 354:
            self._refuse(code, reply, "DATA")
        if not may_begin():
            self.close()
            raise TooLate("the last look grew too old after DATA: the message was not begun")
        return self._finish(content)

    def is_quiet(self) -> bool:
        """False when the relay has said something unasked, or has hung up: it will take no more letters."""
        if self._client.sock is None:
            return False
        ready, _, _ = select.select([self._client.sock], [], [], 0)
        return not ready

    def close(self) -> None:
        """Hang up without ceremony."""
        self.is_open = False
        self._client.close()

    def leave(self) -> None:
        """Take leave politely; a relay that does not answer is left alone."""
        try:
            self._client.renew()
            self._client.quit()
        except (OSError, smtplib.SMTPException):
            self._client.close()
        self.is_open = False

    def _address(self, envelope: Envelope, content: bytes) -> None:
        sender, recipient = ensure_address(envelope.sender), ensure_address(envelope.recipient)
        options = [f"SIZE={len(content)}"] if self._client.has_extn("size") else []
        if not content.isascii() and self._client.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        code, reply = self._client.mail(sender, options)
        if code != 250:
            self._refuse(code, reply, "MAIL")
        code, reply = self._client.rcpt(recipient)
        if code not in {250, 251}:
            self._refuse(code, reply, "RCPT")

    def _finish(self, content: bytes) -> Receipt:
        try:
            self._client.send(content)
            code, reply = self._client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise OutcomeUnknown(f"the relay was lost after the message began ({type(error).__name__})") from error
        words = shortened(f"{code} {reply.decode('utf-8', 'replace')}")
        if code == 250:
            self.used_at = clock.monotonic()
            self.carried += 1
            return Receipt(words)
        if not 400 <= code < 600:
            self.close()
            raise OutcomeUnknown(f"the relay ended with {code}, neither yes nor no", code=code, reply=words)
        self._refuse(code, reply, "message")

    def _refuse(self, code: int, reply: bytes, stage: Stage) -> NoReturn:
        error = refusal(code, reply, stage=stage)
        if code == 421 or not 400 <= code < 600:
            self.close()
        elif stage != "message":
            self._forget_letter()
        raise error

    def _forget_letter(self) -> None:
        try:
            code, _ = self._client.rset()
        except (OSError, smtplib.SMTPException):
            code = 0
        if code != 250:
            self.close()


def on_the_wire(mime: bytes) -> bytes:
    """The message as DATA carries it: CRLF everywhere, leading dots doubled, the closing dot (RFC 5321 4.5.2)."""
    content = BARE_LINE_END.sub(b"\r\n", mime)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return LEADING_DOT.sub(b"..", content) + b".\r\n"


def _secure(client: Client, relay: Relay, context: ssl.SSLContext) -> None:
    _greet(client)
    if relay.security != "starttls":
        return
    if not client.has_extn("starttls"):
        raise SenderNotReady("the relay offers no STARTTLS: nothing is sent in clear; ask its operator, or use tls")
    client.starttls(context=context)
    if not isinstance(client.sock, ssl.SSLSocket):
        raise SenderNotReady("STARTTLS did not lead to TLS: nothing is sent in clear")
    _greet(client)


def _greet(client: Client) -> None:
    code, reply = client.ehlo()
    if not 200 <= code < 300:
        raise smtplib.SMTPHeloError(code, reply)


def _sign_in(client: Client, relay: Relay, password: Callable[[], str | None]) -> None:
    if relay.username is None:
        return
    if relay.security == "none" and not relay.is_local:
        raise SenderNotReady("SMTP_SECURITY is none: credentials are not sent in clear; use starttls or tls")
    secret = password()
    if secret is None:
        raise SenderNotReady("SMTP_USERNAME is set without SMTP_PASSWORD: set both or neither", retry_after=300)
    client.login(relay.username, secret)
