"""A client's statement of account: what is open, what came in lately, what is left over. Reads only."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.invoices.models import Client

RECENT = timedelta(days=90)
MOST_LINES = 200
"""Lines shown of each kind; the totals count all of them."""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An open invoice, in minor units; `days_overdue` is negative before the due date.

    `is_asked_for` is False while its payment is on its way, or a doubt about it is with a person.
    """

    number: str
    token: str
    issued_on: date
    due_on: date
    amount_due: int
    amount_paid: int
    remaining: int
    days_overdue: int
    is_asked_for: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money of the client that came in (or, with a negative amount, went back), in minor units."""

    on: date
    amount: int
    kind: str
    provider: str


@dataclass(frozen=True, slots=True)
class CurrencyAccount:
    """One currency of the account. `open`, `overdue`, `credit`: minor units over all lines, also those not shown."""

    currency: str
    items: tuple[OpenItem, ...]
    receipts: tuple[Receipt, ...]
    open: int
    overdue: int
    credit: int
    count: int

    @property
    def hidden(self) -> int:
        """Open invoices that are not among the lines."""
        return self.count - len(self.items)


@dataclass(frozen=True, slots=True)
class Account:
    """The account on a day (of the client), currency by currency in alphabetical order; none without any movement."""

    client: str
    client_id: int
    on: date
    currencies: tuple[CurrencyAccount, ...]

    @property
    def asks_for_money(self) -> bool:
        """True when something is open that is neither on its way nor in doubt."""
        return any(item.is_asked_for for one in self.currencies for item in one.items)


_TOTALS = """
SELECT currency, count(*) AS items, sum(amount_remaining)::bigint AS open,
       coalesce(sum(amount_remaining) FILTER (WHERE due_on < :today), 0)::bigint AS overdue
  FROM invoices WHERE client_id = :client AND status = 'open' AND amount_remaining > 0 GROUP BY currency
"""
_ITEMS = """
SELECT currency, number, token, issued_on, due_on, amount_due, amount_paid, amount_remaining, money_state FROM (
       SELECT *, row_number() OVER (PARTITION BY currency ORDER BY due_on, id) AS place
         FROM invoices WHERE client_id = :client AND status = 'open' AND amount_remaining > 0) AS placed
 WHERE place <= :most ORDER BY currency, place
"""
_RECEIPTS = """
SELECT currency, occurred_at, amount, kind, provider FROM (
       SELECT *, row_number() OVER (PARTITION BY currency ORDER BY occurred_at DESC, id DESC) AS place
         FROM money_facts
        WHERE client_id = :client AND voided_at IS NULL AND problem IS NULL AND occurred_at > :since
          AND occurred_at <= :now AND provider <> 'import') AS placed
 WHERE place <= :most ORDER BY currency, occurred_at, id
"""
_CREDIT = """
SELECT f.currency, sum(f.amount - coalesce(a.applied, 0) - coalesce(b.taken, 0))::bigint AS credit
  FROM money_facts f
  LEFT JOIN LATERAL (SELECT sum(amount) AS applied FROM allocations WHERE fact_id = f.id) a ON true
  LEFT JOIN LATERAL (
       SELECT sum(r.amount - coalesce((SELECT sum(amount) FROM allocations WHERE fact_id = r.id), 0)) AS taken
         FROM money_facts r
        WHERE r.provider = f.provider AND r.reverses = f.provider_id AND r.client_id = f.client_id
          AND r.voided_at IS NULL AND r.problem IS NULL) b ON true
 WHERE f.client_id = :client AND f.kind IN ('payment', 'credit', 'manual')
   AND f.voided_at IS NULL AND f.problem IS NULL
 GROUP BY f.currency
"""


def account_of(session: Session, client_id: int, *, today: date, now: datetime) -> Account:
    """The account of a client. `today` is the client's own day; raises NoResultFound for an unknown client."""
    client = session.get_one(Client, client_id)
    given = {"client": client_id, "today": today, "now": now, "since": now - RECENT, "most": MOST_LINES}
    totals = {row.currency: row for row in session.execute(text(_TOTALS), given)}
    credits = {row.currency: max(0, row.credit) for row in session.execute(text(_CREDIT), given)}
    items: dict[str, list[OpenItem]] = {}
    for row in session.execute(text(_ITEMS), given):
        items.setdefault(row.currency, []).append(
            OpenItem(
                row.number,
                row.token,
                row.issued_on,
                row.due_on,
                row.amount_due,
                row.amount_paid,
                row.amount_remaining,
                (today - row.due_on).days,
                row.money_state not in {"in_payment", "needs_review"},
            )
        )
    receipts: dict[str, list[Receipt]] = {}
    for row in session.execute(text(_RECEIPTS), given):
        sign = -1 if row.kind in {"refund", "chargeback"} else 1
        receipts.setdefault(row.currency, []).append(
            Receipt(row.occurred_at.date(), sign * row.amount, row.kind, row.provider)
        )
    moved = sorted({*totals, *receipts, *(currency for currency, credit in credits.items() if credit)})
    return Account(
        client=client.name,
        client_id=client_id,
        on=today,
        currencies=tuple(
            CurrencyAccount(
                currency=currency,
                items=tuple(items.get(currency, ())),
                receipts=tuple(receipts.get(currency, ())),
                open=totals[currency].open if currency in totals else 0,
                overdue=totals[currency].overdue if currency in totals else 0,
                credit=credits.get(currency, 0),
                count=totals[currency].items if currency in totals else 0,
            )
            for currency in moved
        ),
    )
