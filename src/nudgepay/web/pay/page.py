"""What a payer's page is about: the invoices of one link at their present state. Pure data."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

PageState = Literal["open", "in_payment", "review", "disputed", "paid", "void", "closed"]


@dataclass(frozen=True, slots=True)
class Line:
    """One invoice, in minor units. `disputed` is the contested part of the remainder."""

    invoice_id: int
    number: str
    description: str | None
    issued_on: date
    due_on: date
    amount_due: int
    amount_paid: int
    status: str
    money_state: str
    version: int
    disputed: int = 0
    promised_on: date | None = None
    claimed_until: datetime | None = None
    document: str | None = None
    """Token of the invoice's own PDF."""

    @property
    def is_open(self) -> bool:
        """True while something may still be owed."""
        return self.status == "open"

    @property
    def remaining(self) -> int:
        """What is still owed."""
        return max(0, self.amount_due - self.amount_paid) if self.is_open else 0

    @property
    def claimable(self) -> int:
        """What the page asks for: the uncontested part of the remainder."""
        return max(0, self.remaining - self.disputed)

    @property
    def is_payable(self) -> bool:
        """True when the page offers to pay it: money on its way or in doubt is not asked for again."""
        return self.claimable > 0 and self.money_state not in {"in_payment", "needs_review"}


@dataclass(frozen=True, slots=True)
class PayerPage:
    """A link's page. `key` is `invoice:ID` or `letter:UUID`; `lines` are oldest first, all in one currency."""

    key: str
    token: str
    client_id: int
    contact_id: int | None
    email: str | None
    locale: str
    timezone: str
    country: str
    currency: str
    lines: tuple[Line, ...]

    @property
    def open_lines(self) -> tuple[Line, ...]:
        """Invoices that are not settled."""
        return tuple(line for line in self.lines if line.is_open)

    @property
    def payable_lines(self) -> tuple[Line, ...]:
        """Invoices that may be paid here and now."""
        return tuple(line for line in self.lines if line.is_payable)

    @property
    def payable(self) -> int:
        """What the page asks for in all (minor units)."""
        return sum(line.claimable for line in self.payable_lines)

    @property
    def state(self) -> PageState:
        """The one sentence that the page says."""
        if self.payable_lines:
            return "open"
        if self.open_lines:
            return self._why_nothing_is_asked()
        statuses = {line.status for line in self.lines}
        if "paid" in statuses:
            return "paid"
        return "void" if "void" in statuses else "closed"

    def _why_nothing_is_asked(self) -> PageState:
        states = {line.money_state for line in self.open_lines}
        if "needs_review" in states:
            return "review"
        return "in_payment" if "in_payment" in states else "disputed"
