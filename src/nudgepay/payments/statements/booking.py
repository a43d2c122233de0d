"""Many lines at once, each in a transaction of its own: one that is refused keeps none of the others back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from nudgepay.db import Database
from nudgepay.errors import Conflict, NudgePayError
from nudgepay.payments.actions import undo_payment
from nudgepay.payments.statements.actions import confirm_line
from nudgepay.payments.statements.queries import Listed

REFUSALS = frozenset({2, 3})
"""Exit codes of what is refused to a person; anything else is trouble, and is raised."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line and the parts for which a person wants it booked, `(invoice, amount)`."""

    line_id: int
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The payment that a line became, or why it did not."""

    line_id: int
    fact_id: int | None = None
    refusal: NudgePayError | None = None


def certain_lines(found: Iterable[Listed]) -> Iterator[Listed]:
    """The lines that are sure, and do not want an invoice that an earlier one pays."""
    taken: set[int] = set()
    for one in found:
        invoices = {part.invoice_id for part in one.proposal.chosen.parts} if one.proposal.chosen else set()
        if one.is_sure and not invoices & taken:
            taken |= invoices
            yield one


def wanted_of(listed: Listed) -> Wanted:
    """A line as it is proposed; it must have a preselected way."""
    chosen = listed.proposal.chosen
    parts = chosen.parts if chosen is not None else ()
    return Wanted(listed.line.id, tuple((part.invoice_id, part.amount) for part in parts))


def book_each(db: Database, wanted: Sequence[Wanted], *, now: datetime, actor: str) -> list[Outcome]:
    """Book each; the outcomes come in the same order."""
    outcomes = []
    for one in wanted:
        parts = [{"invoice_id": invoice_id, "amount": amount} for invoice_id, amount in one.parts]
        try:
            with db.transaction() as session:
                fact = confirm_line(session, one.line_id, parts, now=now, actor=actor)
                outcomes.append(Outcome(one.line_id, fact_id=fact.id))
        except NudgePayError as error:
            outcomes.append(Outcome(one.line_id, refusal=_refusal(error)))
    return outcomes


def undo_each(db: Database, fact_ids: Sequence[int], *, now: datetime, actor: str) -> tuple[int, int]:
    """Take back each payment; returns how many were, and how many could not be."""
    undone = 0
    for fact_id in fact_ids:
        try:
            with db.transaction() as session:
                undo_payment(session, fact_id, now=now, actor=actor)
            undone += 1
        except NudgePayError as error:
            _refusal(error)
    return undone, len(fact_ids) - undone


def _refusal(error: NudgePayError) -> NudgePayError:
    if not isinstance(error, Conflict) and error.exit_code not in REFUSALS:
        raise error
    return error
