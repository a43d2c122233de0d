"""What is kept of statements: the files that were read, how far their lines are, and what became of each."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client, Invoice
from nudgepay.payments.models import Allocation, BankLine, BankStatement, MoneyFact


@dataclass(slots=True)
class Progress:
    """Lines of a statement by what a person said of them."""

    waiting: int = 0
    confirmed: int = 0
    ignored: int = 0

    @property
    def lines(self) -> int:
        """All of them."""
        return self.waiting + self.confirmed + self.ignored


@dataclass(frozen=True, slots=True)
class Decided:
    """A line that somebody decided; a booked one with its payment's client and parts, `(id, number, amount)`."""

    line: BankLine
    client_id: int | None = None
    client_name: str = ""
    parts: list[tuple[int, str, int]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """What lies on no invoice: the client's credit."""
        return self.line.amount - sum(amount for _, _, amount in self.parts)


def statement_by_id(session: Session, statement_id: int) -> BankStatement:
    """The statement; raises NotFound."""
    found = session.get(BankStatement, statement_id)
    if found is None:
        raise NotFound("there is no such statement")
    return found


def newest_statements(session: Session, *, before: int | None = None, limit: int) -> Sequence[BankStatement]:
    """Statements, newest first, beyond the one `before`."""
    query = select(BankStatement).order_by(BankStatement.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(BankStatement.id < before)).all()


def progress_of(session: Session, statement_ids: Collection[int]) -> dict[int, Progress]:
    """How far each statement's lines are."""
    found: dict[int, Progress] = defaultdict(Progress)
    query = (
        select(BankLine.statement_id, BankLine.state, func.count().label("lines"))
        .where(BankLine.statement_id.in_(statement_ids))
        .group_by(BankLine.statement_id, BankLine.state)
    )
    for row in session.execute(query):
        setattr(found[row.statement_id], row.state, row.lines)
    return found


def decided_lines(
    session: Session, statement_id: int, *, state: str, after: tuple[date, int] | None, limit: int
) -> list[Decided]:
    """Lines that were `confirmed` or `ignored`, in the order of the bank, beyond the line `after`."""
    query = (
        select(BankLine)
        .where(BankLine.statement_id == statement_id, BankLine.state == state)
        .order_by(BankLine.booked_on, BankLine.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(BankLine.booked_on, BankLine.id) > after)
    return with_payments(session, session.scalars(query).all())


def with_payments(session: Session, lines: Sequence[BankLine]) -> list[Decided]:
    """The lines with what they were booked for."""
    facts = [line.fact_id for line in lines if line.fact_id is not None]
    clients = {
        row.id: (row.client_id, row.name)
        for row in session.execute(
            select(MoneyFact.id, MoneyFact.client_id, Client.name)
            .join(Client, Client.id == MoneyFact.client_id)
            .where(MoneyFact.id.in_(facts))
        )
    }
    parts: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    query = (
        select(Allocation.fact_id, Allocation.amount, Invoice.id, Invoice.number)
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .where(Allocation.fact_id.in_(facts))
        .order_by(Invoice.due_on, Invoice.id)
    )
    for row in session.execute(query):
        parts[row.fact_id].append((row.id, row.number, row.amount))
    return [
        Decided(line, *clients.get(line.fact_id or 0, (None, "")), parts.get(line.fact_id or 0, [])) for line in lines
    ]


def waiting_lines(session: Session) -> int:
    """How many lines wait in all; they are few, and an index holds them."""
    return session.scalar(select(func.count()).where(BankLine.state == "waiting")) or 0
