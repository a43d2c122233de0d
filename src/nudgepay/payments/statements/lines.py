"""What is read from a bank's file, whatever its format, and the name under which each line is kept once."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

MAX_TEXT = 10_000
NO_REFERENCE = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\s]+")


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One booked line that brought money (`amount` > 0, minor units), or a reversal of either sign.

    `reference` is the creditor reference or else the payer's end-to-end id; `bank_id` is the bank's own name for it.
    """

    booked_on: date
    amount: int
    currency: str
    counterparty: str = ""
    purpose: str = ""
    reference: str = ""
    bank_id: str = ""
    is_reversal: bool = False


@dataclass(slots=True)
class ReadStatement:
    """One account's lines of one file; `debits` and `pending` count what was passed over."""

    format: str
    account: str = ""
    period_from: date | None = None
    period_to: date | None = None
    lines: list[ReadLine] = field(default_factory=list)
    debits: int = 0
    pending: int = 0

    def period(self) -> tuple[date | None, date | None]:
        """The days that the file says it covers, or else those of its lines."""
        days = [line.booked_on for line in self.lines]
        return self.period_from or min(days, default=None), self.period_to or max(days, default=None)


def clean_text(text: str) -> str:
    """A bank's free text on one line: control and direction characters become spaces, runs of them one."""
    return _UNPRINTABLE.sub(" ", text).strip()


def clean_reference(text: str) -> str:
    """A reference on one line; empty where the bank only says that there is none."""
    cleaned = clean_text(text)
    return "" if cleaned.upper() in NO_REFERENCE else cleaned


def dedup_keys(account: str, lines: Iterable[ReadLine]) -> Iterator[str]:
    """A name for each line that overlapping statements of an account agree on, 64 hexadecimal digits.

    It is made of the bank's own reference with day and amount, or else of all fields; and of the ordinal among
    lines of the file that agree in these, so that two equal transfers of one day stay two.
    """
    seen: Counter[str] = Counter()
    for line in lines:
        told: list[object] = [account, line.booked_on.isoformat(), line.amount, line.currency, line.is_reversal]
        told += ["id", line.bank_id] if line.bank_id else [line.counterparty, line.purpose, line.reference]
        same = json.dumps(told)
        seen[same] += 1
        yield hashlib.sha256(f"{same}#{seen[same]}".encode()).hexdigest()
