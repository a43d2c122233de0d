"""A header by which a provider recognises a message that it has already: the first counts, a second is dropped."""

import re
from collections.abc import Callable
from dataclasses import replace

from nudgepay.errors import UsageError
from nudgepay.gateways.mail import Envelope, MailTransport, Receipt, ensure_message_id

HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,60}")
OWN = re.compile(
    r"(from|to|b?cc|sender|subject|date|received|references|reply-to|return-path|in-reply-to|message-id|mime-.*"
    r"|content-.*|dkim-.*|list-.*|auto-submitted)",
    re.IGNORECASE,
)
"""Fields with a meaning of their own (RFC 5322 3.6 and ours): none may carry the key."""


def ensure_header_name(name: str) -> str:
    """The name, if it may carry a key; raises UsageError."""
    if not HEADER_NAME.fullmatch(name) or OWN.fullmatch(name):
        raise UsageError(
            "SMTP_IDEMPOTENCY_HEADER: is no header that could carry a key; use the one your provider names"
        )
    return name


class IdempotentTransport:
    """Another transport whose messages carry a key: the letter and its number, the same however often it is tried."""

    def __init__(self, inner: MailTransport, header: str) -> None:
        """`header` is the provider's name for it, such as Resend-Idempotency-Key. Raises UsageError."""
        self._inner = inner
        self._header = ensure_header_name(header)
        self.concurrency = inner.concurrency

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """Add the key, then hand over."""
        field = f"{self._header}: {ensure_message_id(envelope.message_id)}\r\n".encode("ascii")
        return self._inner.deliver(replace(envelope, mime=field + envelope.mime), may_begin=may_begin)

    def close(self) -> None:
        """Close what is inside."""
        self._inner.close()
