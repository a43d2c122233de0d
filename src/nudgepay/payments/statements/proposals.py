"""What a line may be: invoices and parts in minor units, the reasons in words, and how sure they are."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from nudgepay.money import format_money
from nudgepay.sentences import Said

Confidence = Literal["sure", "likely", "guess", "none"]
SURE, LIKELY, GUESS = 100, 60, 30
"""The least score of each confidence."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount inside of a sentence: English by itself, and as the reader writes it where a page shows it."""

    minor: int
    currency: str

    def __str__(self) -> str:
        """For the command line."""
        return format_money(self.minor, self.currency, "en")


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice on which money may still lie; `remaining` in minor units."""

    id: int
    number: str
    client_id: int
    client_name: str
    currency: str
    remaining: int
    due_on: date


@dataclass(frozen=True, slots=True)
class Part:
    """How much of the line is for an invoice, in minor units."""

    invoice_id: int
    number: str
    amount: int


@dataclass(frozen=True, slots=True)
class Option:
    """One way to book a line: all of it for invoices of one client; `left` is what no part takes.

    `is_part`: more than the line is open on these invoices.
    """

    client_id: int
    client_name: str
    parts: tuple[Part, ...]
    score: int
    reasons: tuple[Said, ...]
    left: int = 0
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person is asked. `options` are the best ways, best first; `chosen` is preselected, or None.

    `notes` say why there is nothing better, and what must be looked at before.
    """

    confidence: Confidence
    chosen: Option | None = None
    options: tuple[Option, ...] = ()
    notes: tuple[Said, ...] = ()

    @property
    def score(self) -> int:
        """The best option's, 0 to 100."""
        return self.options[0].score if self.options else 0


def confidence_of(score: int) -> Confidence:
    """`sure`, `likely`, `guess` or `none`."""
    if score >= SURE:
        return "sure"
    if score >= LIKELY:
        return "likely"
    return "guess" if score >= GUESS else "none"
