"""Letters signed for their domain (DKIM, RFC 6376), so that a receiver can tell them from a forgery."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dkim

from nudgepay.errors import UsageError
from nudgepay.gateways.mail import Envelope, MailTransport, Receipt, SenderNotReady

SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"in-reply-to", b"references", b"mime-version",
    b"content-type", b"list-unsubscribe", b"list-unsubscribe-post", b"auto-submitted",
)  # fmt: skip
"""One click to unsubscribe counts only when its headers are signed (RFC 8058 4). Absent ones are left out."""
ONCE = (b"from", b"subject", b"to", b"date")
"""Signed once more than they occur, so that nobody can add a second one (RFC 6376 8.15)."""


class DkimSigner:
    """Signs with one RSA key; the public half stands in DNS at SELECTOR._domainkey.DOMAIN."""

    def __init__(self, *, domain: str, selector: str, key: bytes) -> None:
        """`key` is a PEM of an RSA private key; raises UsageError for anything else."""
        self._domain, self._selector, self._key = domain.encode("idna"), selector.encode("ascii"), key
        try:
            self.sign(b"From: a@example.com\r\n\r\n")
        except dkim.DKIMException as error:
            raise UsageError(
                "DKIM_KEY_FILE: is no RSA private key in PEM form; make one with openssl genrsa 2048"
            ) from error

    def sign(self, mime: bytes) -> bytes:
        """The message with its DKIM-Signature first."""
        present = {line.partition(b":")[0].strip().lower() for line in mime.partition(b"\r\n\r\n")[0].split(b"\r\n")}
        names = [name for name in SIGNED if name in present] + [name for name in ONCE if name in present]
        signature: bytes = dkim.sign(
            mime,
            self._selector,
            self._domain,
            self._key,
            include_headers=names,
            canonicalize=(b"relaxed", b"relaxed"),
        )
        return signature + mime


class SigningTransport:
    """Another transport whose letters are signed on the way out."""

    def __init__(self, inner: MailTransport, signer: Callable[[], DkimSigner]) -> None:
        """`signer` is asked for each letter, so that a new key file is picked up."""
        self._inner = inner
        self._signer = signer
        self.concurrency = inner.concurrency

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """Sign, then hand over. Without a usable key nothing leaves: SenderNotReady."""
        try:
            signed = self._signer().sign(envelope.mime)
        except (OSError, UsageError) as error:
            raise SenderNotReady(f"letters cannot be signed ({type(error).__name__}): check DKIM_KEY_FILE") from error
        return self._inner.deliver(replace(envelope, mime=signed), may_begin=may_begin)

    def close(self) -> None:
        """Close what is inside."""
        self._inner.close()


def signer_from(*, domain: str, selector: str, key_file: Path) -> Callable[[], DkimSigner]:
    """The signer of a key file, read again whenever the file has changed."""
    known: dict[tuple[int, int], DkimSigner] = {}

    def current() -> DkimSigner:
        stat = key_file.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        if version not in known:
            known.clear()
            known[version] = DkimSigner(domain=domain, selector=selector, key=key_file.read_bytes())
        return known[version]

    return current
