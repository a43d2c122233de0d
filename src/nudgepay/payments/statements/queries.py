"""Reads for the matching and for people: a constant number of statements, however many lines wait."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client, Invoice
from nudgepay.payments.books import PAYABLE
from nudgepay.payments.facts import INCOMING
from nudgepay.payments.models import BankLine, MoneyFact
from nudgepay.payments.statements.lines import ReadLine
from nudgepay.payments.statements.matching import Books, propose
from nudgepay.payments.statements.proposals import OpenInvoice, Proposal

CLOSED_SINCE = timedelta(days=400)
"""How long a paid invoice's number is still recognised in a transfer."""
NEAR = timedelta(days=3)
PROVIDER = "bank"
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Twin:
    """A bank payment on the books that may be the same transfer."""

    fact_id: int
    client_id: int
    on: date


@dataclass(frozen=True, slots=True)
class Listed:
    """A kept line and what it may be; `twins` are those of the clients that the proposal names."""

    line: BankLine
    proposal: Proposal
    twins: tuple[Twin, ...] = ()

    @property
    def is_sure(self) -> bool:
        """A sure proposal, and no payment on the books that looks the same."""
        return self.line.state == "waiting" and self.proposal.confidence == "sure" and not self.twins


def noon(day: date) -> datetime:
    """When money of a day is taken to have come: 12:00 UTC."""
    return datetime.combine(day, time(12), UTC)


def line_by_id(session: Session, line_id: int, *, lock: bool = False) -> BankLine:
    """The line as it stands in the database, locked until the transaction ends if asked; raises NotFound."""
    query = select(BankLine).where(BankLine.id == line_id).execution_options(populate_existing=True)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"there is no line {line_id}; see: nudgepay statements list --all")
    return found


def read_books(session: Session, *, now: datetime) -> Books:
    """All invoices on which money may lie, and the numbers of those closed lately: two statements."""
    query = (
        select(
            Invoice.id,
            Invoice.number,
            Invoice.client_id,
            Client.name,
            Invoice.currency,
            Invoice.amount_remaining,
            Invoice.due_on,
        )
        .join(Client, Client.id == Invoice.client_id)
        .where(Invoice.status.in_(PAYABLE), Invoice.amount_remaining > 0)
    )
    closed = select(Invoice.number, Invoice.status).where(
        Invoice.status.in_(["paid", "void"]),
        func.coalesce(Invoice.closed_at, Invoice.created_at) >= now - CLOSED_SINCE,
    )
    invoices = [OpenInvoice(*row) for row in session.execute(query)]
    return Books(invoices, {row.number: row.status for row in session.execute(closed)})


def as_read(line: BankLine) -> ReadLine:
    """What the matching looks at."""
    return ReadLine(
        booked_on=line.booked_on,
        amount=line.amount,
        currency=line.currency,
        counterparty=line.counterparty,
        purpose=line.purpose,
        reference=line.reference,
        is_reversal=line.kind == "reversal",
    )


def list_lines(
    session: Session, *, now: datetime, everything: bool = False, statement_id: int | None = None
) -> Iterator[Listed]:
    """Lines that wait, with their proposals, oldest first; or every line, those decided without one.

    All, or those of one statement. They come as they are read, and are forgotten as they go: ten thousands do not
    fill the memory.
    """
    books = read_books(session, now=now)
    twins = _twins(session)
    query = select(BankLine).order_by(BankLine.booked_on, BankLine.id)
    query = query if statement_id is None else query.where(BankLine.statement_id == statement_id)
    chosen = query if everything else query.where(BankLine.state == "waiting")
    for line in session.scalars(chosen.execution_options(yield_per=CHUNK)):
        session.expunge(line)
        yield _listed(line, books, twins)


def propose_one(session: Session, line_id: int, *, now: datetime) -> Listed:
    """One line with its proposal; raises NotFound."""
    line = line_by_id(session, line_id)
    return _listed(line, read_books(session, now=now), _twins(session))


def _listed(line: BankLine, books: Books, twins: Mapping[tuple[str, int], Sequence[Twin]]) -> Listed:
    if line.state != "waiting":
        return Listed(line, Proposal("none"))
    proposal = propose(as_read(line), books)
    clients = {option.client_id for option in proposal.options}
    alike = twins.get((line.currency, line.amount), ())
    near = tuple(twin for twin in alike if twin.client_id in clients and abs(twin.on - line.booked_on) <= NEAR)
    return Listed(line, proposal, near)


def _twins(session: Session) -> dict[tuple[str, int], list[Twin]]:
    """Bank payments of the amount and about the day of any waiting line, by currency and amount."""
    same = exists().where(
        BankLine.state == "waiting",
        BankLine.currency == MoneyFact.currency,
        BankLine.amount == MoneyFact.amount,
    )
    found: dict[tuple[str, int], list[Twin]] = defaultdict(list)
    for row in session.execute(_bank_facts().where(same)).all():
        found[row.currency, row.amount].append(Twin(row.id, row.client_id, row.occurred_at.date()))
    return found


def _bank_facts() -> Select[int, int, str, int, datetime]:
    return select(
        MoneyFact.id, MoneyFact.client_id, MoneyFact.currency, MoneyFact.amount, MoneyFact.occurred_at
    ).where(MoneyFact.provider == PROVIDER, MoneyFact.kind.in_(INCOMING), MoneyFact.voided_at.is_(None))


def twins_of(session: Session, line: BankLine, client_id: int) -> list[Twin]:
    """Bank payments of this client that may be the line's transfer; read under the client's lock they are all."""
    query = _bank_facts().where(
        MoneyFact.client_id == client_id,
        MoneyFact.currency == line.currency,
        MoneyFact.amount == line.amount,
        MoneyFact.occurred_at.between(
            datetime.combine(line.booked_on - NEAR, time.min, UTC),
            datetime.combine(line.booked_on + NEAR, time.max, UTC),
        ),
    )
    return [Twin(row.id, row.client_id, row.occurred_at.date()) for row in session.execute(query)]


def known_keys(session: Session, keys: Collection[str]) -> set[str]:
    """Which of these lines are kept already."""
    return set(session.scalars(select(BankLine.dedup_key).where(BankLine.dedup_key.in_(keys))))
