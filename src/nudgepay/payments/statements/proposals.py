"""What a line may be: invoices and parts in minor units, the reasons in words, and how sure they are."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Confidence = Literal["sure", "likely", "guess", "none"]
SURE, LIKELY, GUESS = 100, 60, 30
"""The least score of each confidence."""


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
    """One way to book a line: all of it for invoices of one client; `left` is what no part takes."""

    client_id: int
    client_name: str
    parts: tuple[Part, ...]
    score: int
    reasons: tuple[str, ...]
    left: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person is asked. `options` are the best ways, best first; `chosen` is preselected, or None.

    `notes` say why there is nothing better, and what must be looked at before.
    """

    confidence: Confidence
    chosen: Option | None = None
    options: tuple[Option, ...] = ()
    notes: tuple[str, ...] = ()

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
