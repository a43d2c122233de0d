"""The values of Today, read in one transaction."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.access.permissions import Permission
from nudgepay.invoices.owed import Owed, OwedInCurrency, owed_by_age
from nudgepay.invoices.queries import has_invoices
from nudgepay.nudges.calendars import local_day, local_instant
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.waiting import Glance, glance, has_ever_written, next_letters
from nudgepay.payments.came_in import CameIn, came_in_by_day, days_to_pay
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.today import charts
from nudgepay.web.ui.today.kinds import in_order, kind_of

DAYS = 30
BARS = ("bar", "bar bar-2", "bar bar-3", "bar bar-4", "bar bar-5")


@dataclass(frozen=True, slots=True)
class Cell:
    """One age of one currency: the figure, its place in the bar and its list."""

    age: str
    owed: Owed
    piece: charts.Piece
    style: str
    path: str


@dataclass(frozen=True, slots=True)
class Income:
    """What came in in one currency."""

    currency: str
    payments: int
    amount: int
    line: str
    area: str


def first_day(page: Page, *, days: int = DAYS) -> date:
    """The first of the last `days` days of the business."""
    return today_of(page) - timedelta(days=days - 1)


def today_of(page: Page) -> date:
    """The day it is at the business, by which everything on the page is counted."""
    return local_day(page.now, page.runtime.settings.business_timezone)


def days_of(page: Page) -> list[datetime]:
    """The instants at which the last days begin, and the one at which today ends."""
    first, zone = first_day(page), page.runtime.settings.business_timezone
    return [local_instant(first + timedelta(days=ahead), time(), zone) for ahead in range(DAYS + 1)]


def gather(session: Session, page: Page) -> dict[str, Any]:
    """Everything that the template shows."""
    zone, days = page.runtime.settings.business_timezone, days_of(page)
    owed = owed_by_age(session, today=today_of(page))
    came_in = came_in_by_day(session, days=days)
    seen = glance(session, days=days)
    is_young = not any(seen.letters) and not has_ever_written(session)
    return {
        "today": today_of(page),
        "owed": [(one, cells_of(one)) for one in owed],
        "came_in": _income(came_in),
        "next_letters": next_letters(session, seen.next_clients, terms=terms_of(page.runtime.settings), now=page.now),
        "held": seen.held,
        "tasks": [(one, kind_of(one.kind)) for one in in_order(seen.tasks)],
        "amnesty": seen.amnesty,
        "needs": sum(one.count for one in seen.tasks) + (seen.amnesty.invoices if seen.amnesty else 0),
        "pause": seen.pause,
        "letters": _bars(seen.letters),
        "payments": _bars(_payments_by_day(came_in)),
        "to_pay": days_to_pay(session, day_of=lambda at: local_day(at, zone)),
        "steps": first_steps(session, page, seen) if is_young else [],
    }


def cells_of(owed: OwedInCurrency) -> list[Cell]:
    """The ages of a currency, each with the list behind it."""
    pieces = charts.stacked([cell.amount for cell in owed.ages.values()])
    return [
        Cell(age, cell, piece, style, f"/invoices?status=open&currency={owed.currency}&age={age.replace('+', '%2B')}")
        for (age, cell), piece, style in zip(owed.ages.items(), pieces, BARS, strict=True)
    ]


def _income(rows: list[CameIn]) -> list[Income]:
    amounts: dict[str, list[int]] = defaultdict(lambda: [0] * DAYS)
    payments: dict[str, int] = defaultdict(int)
    for row in rows:
        amounts[row.currency][row.place] = row.amount
        payments[row.currency] += row.payments
    found = [
        Income(currency, payments[currency], sum(values), charts.line(values), charts.area(values))
        for currency, values in amounts.items()
    ]
    return sorted(found, key=lambda income: -income.payments)


def _payments_by_day(rows: list[CameIn]) -> list[int]:
    counts = [0] * DAYS
    for row in rows:
        counts[row.place] += row.payments
    return counts


def _bars(values: list[int]) -> dict[str, Any]:
    return {"total": sum(values), "most": max(values), "bars": charts.bars(values)}


@dataclass(frozen=True, slots=True)
class Step:
    """A first step: its name for the template, and whether it is taken."""

    name: str
    is_done: bool


def first_steps(session: Session, page: Page, seen: Glance) -> list[Step]:
    """What is to be done until the first letter has left."""
    if not page.may(Permission.INVOICE_WRITE):
        return []
    settings = page.runtime.settings
    is_filled = has_invoices(session)
    return [
        Step("books", is_filled),
        Step("money", bool(settings.business_iban) or page.runtime.stripe is not None),
        Step("sender", settings.mail_transport == "smtp"),
        *([Step("release", False)] if seen.amnesty else []),
        Step("switch", is_filled and seen.pause is None),
    ]
