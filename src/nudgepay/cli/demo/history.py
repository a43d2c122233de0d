"""Half a year before the story: what was invoiced then and paid since, so that insights have months to tell of."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.invoices.actions import create_invoice
from nudgepay.invoices.models import Client
from nudgepay.money import to_major
from nudgepay.payments.bank import record_transfer

MONTHS = 6
TERM_DAYS = 14


@dataclass(frozen=True, slots=True)
class Habit:
    """What a client buys each month (minor units), and how many days after the due day it pays, month by month."""

    name: str
    amount: int
    days_late: tuple[int, ...]


HABITS = (
    Habit("Bäckerei Lindner", 42_000, (2, 4, 3, 9, 12, 11)),
    Habit("Hansen Logistik", 195_000, (-1, 0, 1, 0, 2, 5)),
    Habit("Alpen Sport", 76_000, (14, 18, 12, 16, 9, 7)),
    Habit("Ferro Metallbau", 240_000, (21, 26, 30, 33, 28, 24)),
    Habit("Studio Verne", 58_000, (0, -2, 0, 1, 0, 0)),
    Habit("Hudson & Park", 180_000, (5, 3, 6, 4, 8, 6)),
    Habit("Maple Press", 22_500, (1, 0, 0, 3, 1, 0)),
    Habit("Northwind Traders", 110_000, (7, 9, 6, 4, 3, 2)),
    Habit("Kōwa Design", 310_000, (0, 0, -3, 0, 1, 0)),
)


def load_history(session: Session, *, start: datetime, currencies: dict[str, str], actor: str) -> int:
    """Write the paid invoices of the months before `start` (UTC); `currencies` by client's name. Returns how many."""
    serial = written = 0
    for habit in HABITS:
        client = session.scalars(select(Client).where(Client.name == habit.name)).one()
        for issued_on, days_late in zip(_months_before(start.date()), habit.days_late, strict=True):
            serial += 1
            number = f"{issued_on.year}-{serial:03d}"
            due_on = issued_on + timedelta(days=TERM_DAYS)
            currency = currencies[habit.name]
            paid_at = datetime.combine(due_on + timedelta(days=days_late), time(11), ZoneInfo(client.timezone))
            if paid_at >= start:
                continue
            written += 1
            create_invoice(
                session,
                client_id=client.id,
                number=number,
                currency=currency,
                amount_due=habit.amount,
                issued_on=issued_on,
                due_on=due_on,
                now=start,
                actor=actor,
            )
            record_transfer(
                session,
                numbers=[number],
                amount=str(to_major(habit.amount, currency)),
                occurred_at=paid_at,
                now=paid_at,
                actor=actor,
            )
    return written


def _months_before(day: date) -> list[date]:
    month = day.replace(day=1)
    found: list[date] = []
    for _ in range(MONTHS):
        month = (month - timedelta(days=1)).replace(day=1)
        found.insert(0, month + timedelta(days=2))
    return found
