"""What a relay's answer means for the letter (RFC 5321 section 4.2, RFC 3463)."""

import re
import smtplib
from typing import Literal

from nudgepay.gateways.mail import (
    MailError,
    PermanentRefusal,
    SenderNotReady,
    TemporaryRefusal,
    shortened,
)

Stage = Literal["MAIL", "RCPT", "DATA", "message"]
ENHANCED = re.compile(r"^(\d\.\d{1,3}\.\d{1,3})\b")
NOBODY_THERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""No such mailbox, no such domain, no such syntax, moved away, or a domain that takes no mail (RFC 7505)."""
NOT_SIGNED_IN = frozenset({530, 534, 535, 538})


class ConversationLost(SenderNotReady):
    """The relay hung up before the message began; a new conversation may do."""


def refusal(code: int, reply: bytes, *, stage: Stage) -> MailError:
    """The error that an unwelcome answer amounts to. Its message never repeats the relay's words."""
    words = shortened(f"{code} {reply.decode('utf-8', 'replace')}")
    if 400 <= code < 500:
        return TemporaryRefusal(f"the relay said {code} to {stage}: try later", code=code, reply=words)
    if code in NOT_SIGNED_IN:
        cure = "check SMTP_USERNAME and SMTP_PASSWORD"
        return SenderNotReady(f"the relay said {code} to {stage}: {cure}", code=code, reply=words, retry_after=300)
    if stage == "MAIL" and code != 552:
        cure = "check that FROM_EMAIL may be used there"
        return SenderNotReady(f"the relay said {code} to our sender: {cure}", code=code, reply=words, retry_after=300)
    if 500 <= code < 600:
        return PermanentRefusal(
            f"the relay said {code} to {stage}",
            code=code,
            reply=words,
            bad_address=_is_bad_address(code, reply, stage),
        )
    return SenderNotReady(f"the relay answered {stage} with {code}, which no relay should", code=code, reply=words)


def not_ready(error: OSError | smtplib.SMTPException) -> SenderNotReady:
    """Trouble before the message began. The cure depends on what failed; no credential is ever repeated."""
    code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return SenderNotReady("the relay refused our credentials: check them", code=code, retry_after=300)
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        return ConversationLost("the relay hung up before the message began: see its log")
    name = type(error).__name__ + (f" {code}" if code else "")
    return SenderNotReady(
        f"the relay cannot be used ({name}): check SMTP_HOST, SMTP_PORT and its certificate", code=code
    )


def _is_bad_address(code: int, reply: bytes, stage: Stage) -> bool:
    enhanced = ENHANCED.match(reply.decode("ascii", "replace"))
    if enhanced is not None:
        return enhanced[1] in NOBODY_THERE
    return code == 550 and stage == "RCPT"
