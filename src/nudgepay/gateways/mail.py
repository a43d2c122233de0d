"""The door through which letters leave: what a transport promises, and every way in which it can fail.

The five errors differ in what they say about the letter. Only `OutcomeUnknown` leaves it in doubt; after each
of the others the recipient's side has certainly not taken it, so it may be tried again under the same Message-ID.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nudgepay.errors import OperationalError, UsageError

FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
MESSAGE_ID = re.compile(r"<(np\.[0-9a-f-]{32,36}\.[1-9][0-9]{0,5})@[A-Za-z0-9.-]{1,255}>")
MAX_REPLY_CHARACTERS = 500


class BadAddress(UsageError):
    """The text is not one mailbox that mail can be sent to."""


class BadEnvelope(UsageError):
    """The letter cannot be handed to any transport as it is."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One letter for one recipient; `mime` is the whole message with CRLF line ends."""

    message_id: str
    sender: str
    recipient: str
    mime: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The transport has taken over. `repeated`: it had this Message-ID already and keeps the first."""

    reply: str
    repeated: bool = False


class MailError(OperationalError):
    """A letter was not taken, or nobody knows. `reply` is the other side's word and may name an address."""

    def __init__(self, message: str, *, code: int | None = None, reply: str = "") -> None:
        """`code` is the SMTP reply code where there was one."""
        super().__init__(message)
        self.code = code
        self.reply = reply


class TemporaryRefusal(MailError):
    """Not taken, and the other side asks to try later (4yz)."""


class PermanentRefusal(MailError):
    """Not taken, and trying again is no use (5yz). `bad_address`: because nobody has this mailbox."""

    def __init__(self, message: str, *, code: int | None = None, reply: str = "", bad_address: bool = False) -> None:
        """See the class."""
        super().__init__(message, code=code, reply=reply)
        self.bad_address = bad_address


class OutcomeUnknown(MailError):
    """The message was on its way when the answer failed to come: it may or may not have been taken."""


class TooLate(MailError):
    """`may_begin` said no: not one byte of the message has left."""


class SenderNotReady(MailError):
    """Nothing about this letter: the relay cannot be used now. `retry_after` in seconds."""

    def __init__(self, message: str, *, code: int | None = None, reply: str = "", retry_after: float = 60) -> None:
        """See the class."""
        super().__init__(message, code=code, reply=reply)
        self.retry_after = retry_after


class MailTransport(Protocol):
    """Hands letters over, `concurrency` at a time."""

    concurrency: int

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """Hand one letter over; `may_begin` is asked at the last moment at which it can still be kept back.

        Raises TemporaryRefusal, PermanentRefusal, OutcomeUnknown, TooLate or SenderNotReady.
        """
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source of acceptance knows of one Message-ID. `at` (UTC) only when it was accepted."""

    verdict: Literal["accepted", "absent", "cannot_tell"]
    at: datetime | None = None
    source: str = ""


Fate = Literal["delivered", "bounced", "complained"]


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of an accepted letter, as somebody downstream tells it.

    `status` is an enhanced status code (RFC 3463) such as 5.1.1, empty when none was given. `recipient` is the
    address that the report names, empty when it names none.
    """

    message_id: str
    fate: Fate
    recipient: str = ""
    status: str = ""
    at: datetime | None = None
    source: str = ""

    @property
    def is_bad_address(self) -> bool:
        """True when nobody has this mailbox: RFC 3463's 5.1.x (addressing) and 5.2.1 (mailbox disabled)."""
        return self.fate == "bounced" and (self.status.startswith("5.1.") or self.status == "5.2.1")


class AcceptanceSource(Protocol):
    """Where it can be read afterwards which letters were taken."""

    def find(self, message_id: str, *, since: datetime) -> Finding:
        """`absent` only if a letter that left after `since` would certainly show."""
        ...


class NoReceipts:
    """A bare relay: nothing can be read back, so every doubt is a person's."""

    def find(self, message_id: str, *, since: datetime) -> Finding:
        """Always `cannot_tell`."""
        return Finding("cannot_tell", source="none")


def ensure_address(text: str) -> str:
    """The one addr-spec in `text`, its domain in ASCII (A-labels); raises BadAddress for anything else.

    Refuses display names, lists, address literals, quoted local parts, control characters (RFC 5321, RFC 5891).
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # it loads a DNS client

    if FORBIDDEN.search(text) or len(text) > 254:
        raise BadAddress("the address holds control characters or is too long: correct the contact")
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False)
    except EmailNotValidError:
        raise BadAddress("the address is not one plain mailbox such as name@example.com: correct it") from None
    if found.ascii_email is None:
        raise BadAddress("the address needs a mail system of its own (SMTPUTF8): use an ASCII mailbox name")
    return found.ascii_email


def ensure_message_id(text: str) -> str:
    """The part before the @ of one of our Message-IDs, safe as a file name; raises BadEnvelope."""
    match = MESSAGE_ID.fullmatch(text)
    if match is None:
        raise BadEnvelope("the Message-ID is not one of ours: <np.LETTER.N@DOMAIN>")
    return match[1]


def shortened(reply: str) -> str:
    """A reply fit for a row: printable, at most 500 characters."""
    return FORBIDDEN.sub(" ", reply)[:MAX_REPLY_CHARACTERS]
