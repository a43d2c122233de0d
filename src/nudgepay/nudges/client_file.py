"""Everything about one client on one page: people, money, promises, letters, and how it pays. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.payments.came_in import PAID_AT

MOST_OPEN = 100
MOST_CLOSED = 15
MOST_LETTERS = 15
MOST_PROMISES = 10
JUDGED = 100
"""Paid invoices, newest first, from which the client's habit is judged."""


@dataclass(frozen=True, slots=True)
class Block:
    """Why an address is not written to, who said so, and since when."""

    reason: str
    source: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A contact as it stands. `locale` and `timezone` are its own ones, None where the client's hold."""

    id: int
    name: str
    email: str
    role: str
    locale: str | None
    timezone: str | None
    version: int
    wrong_person_at: datetime | None
    blocks: tuple[Block, ...]

    @property
    def is_written_to(self) -> bool:
        """True when letters may go to this person."""
        return self.role != "copy" and self.wrong_person_at is None and not self.blocks


@dataclass(frozen=True, slots=True)
class Aged:
    """What is open in one currency, by age: not due yet, 1-30 days late, 31-60, 61-90, more; minor units."""

    currency: str
    buckets: tuple[int, ...]
    open: int
    count: int

    @property
    def overdue(self) -> int:
        """Everything that is past its due day."""
        return sum(self.buckets[1:])


@dataclass(frozen=True, slots=True)
class Habit:
    """How late the client paid on average, in days after the due day (negative: early), over how many invoices."""

    days_late: float
    invoices: int


_PEOPLE = """
SELECT id, name, email, lower(email) AS address, role, locale, timezone, version, wrong_person_at FROM contacts
 WHERE client_id = :client AND removed_at IS NULL
 ORDER BY array_position(ARRAY['billing', 'approver', 'copy'], role), id
"""
_BLOCKS = """
SELECT address, reason, source, created_at FROM suppressions
 WHERE lifted_at IS NULL AND address = ANY(:addresses) ORDER BY created_at, id
"""


def people_of(session: Session, client_id: int) -> list[Person]:
    """Who is written to, billing first, each with what blocks the address."""
    rows = session.execute(text(_PEOPLE), {"client": client_id}).all()
    blocks: dict[str, list[Block]] = {}
    for row in session.execute(text(_BLOCKS), {"addresses": [row.address for row in rows]}):
        blocks.setdefault(row.address, []).append(Block(row.reason, row.source, row.created_at))
    return [
        Person(
            id=row.id,
            name=row.name,
            email=row.email,
            role=row.role,
            locale=row.locale,
            timezone=row.timezone,
            version=row.version,
            wrong_person_at=row.wrong_person_at,
            blocks=tuple(blocks.get(row.address, ())),
        )
        for row in rows
    ]


_AGED = """
SELECT currency, count(*) AS items, sum(amount_remaining)::bigint AS open,
       coalesce(sum(amount_remaining) FILTER (WHERE late <= 0), 0)::bigint AS current,
       coalesce(sum(amount_remaining) FILTER (WHERE late BETWEEN 1 AND 30), 0)::bigint AS to_30,
       coalesce(sum(amount_remaining) FILTER (WHERE late BETWEEN 31 AND 60), 0)::bigint AS to_60,
       coalesce(sum(amount_remaining) FILTER (WHERE late BETWEEN 61 AND 90), 0)::bigint AS to_90,
       coalesce(sum(amount_remaining) FILTER (WHERE late > 90), 0)::bigint AS beyond
  FROM (SELECT currency, amount_remaining, CAST(:today AS date) - due_on AS late FROM invoices
         WHERE client_id = :client AND status = 'open' AND amount_remaining > 0) AS claims
 GROUP BY currency ORDER BY currency
"""


def aged_of(session: Session, client_id: int, *, today: date) -> list[Aged]:
    """The client's aged list, by currency; `today` is the client's own day."""
    return [
        Aged(row.currency, (row.current, row.to_30, row.to_60, row.to_90, row.beyond), row.open, row.items)
        for row in session.execute(text(_AGED), {"client": client_id, "today": today})
    ]


_OPEN = """
SELECT * FROM invoices WHERE client_id = :client AND status IN ('open', 'draft')
 ORDER BY due_on, id LIMIT :most
"""
_CLOSED = """
SELECT * FROM invoices WHERE client_id = :client AND status IN ('paid', 'void', 'uncollectible')
 ORDER BY closed_at DESC NULLS LAST, id DESC LIMIT :most
"""
_LETTERS = """
SELECT id, subject, state, sending_at, to_address, amount, currency FROM letters
 WHERE client_id = :client ORDER BY sending_at DESC LIMIT :most
"""
_STATEMENTS = """
SELECT created_at, sending_at, state, reason, to_address FROM mailings
 WHERE client_id = :client AND kind = 'statement' ORDER BY created_at DESC LIMIT 1
"""
_PROMISES = """
SELECT p.promised_on, p.amount, p.state, p.made_at, i.id AS invoice_id, i.number, i.currency
  FROM promises p JOIN invoices i ON i.id = p.invoice_id
 WHERE i.client_id = :client ORDER BY p.state <> 'pending', p.made_at DESC LIMIT :most
"""
_HABIT = f"""
SELECT avg((paid_at AT TIME ZONE :zone)::date - due_on)::float AS days, count(*) AS items FROM (
       SELECT {PAID_AT} AS paid_at, i.due_on FROM invoices i WHERE i.client_id = :client AND i.status = 'paid'
        ORDER BY i.closed_at DESC NULLS LAST LIMIT :most) AS newest
"""  # noqa: S608 - a fragment of ours


def open_invoices_of(session: Session, client_id: int) -> Sequence[Row[Any]]:
    """What is not closed, the oldest first; at most MOST_OPEN."""
    return session.execute(text(_OPEN), {"client": client_id, "most": MOST_OPEN}).all()


def closed_invoices_of(session: Session, client_id: int) -> Sequence[Row[Any]]:
    """What was closed lately; at most MOST_CLOSED."""
    return session.execute(text(_CLOSED), {"client": client_id, "most": MOST_CLOSED}).all()


def letters_of(session: Session, client_id: int) -> Sequence[Row[Any]]:
    """The newest letters; at most MOST_LETTERS."""
    return session.execute(text(_LETTERS), {"client": client_id, "most": MOST_LETTERS}).all()


def last_statement_of(session: Session, client_id: int) -> Row[Any] | None:
    """The newest statement of account that was asked for, with what became of it."""
    return session.execute(text(_STATEMENTS), {"client": client_id}).one_or_none()


def promises_of(session: Session, client_id: int) -> Sequence[Row[Any]]:
    """What was promised, pending ones first; at most MOST_PROMISES."""
    return session.execute(text(_PROMISES), {"client": client_id, "most": MOST_PROMISES}).all()


def habit_of(session: Session, client_id: int, *, zone: str) -> Habit | None:
    """How the client pays, or None when it never has."""
    row = session.execute(text(_HABIT), {"client": client_id, "zone": zone, "most": JUDGED}).one()
    return Habit(row.days, row.items) if row.items else None


def currencies_of(session: Session, client_id: int) -> list[str]:
    """The currencies in which the client has ever had an invoice."""
    query = text("SELECT DISTINCT currency FROM invoices WHERE client_id = :client ORDER BY currency")
    return list(session.scalars(query, {"client": client_id}))
