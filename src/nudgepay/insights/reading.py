"""Reads of the closed months, as the page and the owner want them."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.insights.collection import (
    Month,
    at_risk_rate,
    average_days_delinquent,
    best_possible_dso,
    collection_effectiveness,
    dso_countback,
    overdue_rate,
)

SHOWN_MONTHS = 13
READ_MONTHS = 25
"""A count-back at the first month shown looks at the year before it."""


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """One month of one currency. Amounts in minor units, DSO in days, rates from 0 to 1; None: cannot be told."""

    month: date
    receivable: int
    sales: int
    received: int
    dso: float | None
    best_dso: float | None
    days_delinquent: float | None
    effectiveness: float | None
    at_risk: float | None
    overdue: float | None


def figures_by_currency(session: Session) -> dict[str, list[MonthFigures]]:
    """The last thirteen closed months of each currency, oldest first; the currency with most sales first."""
    rows = session.execute(
        text(
            "SELECT * FROM month_ends WHERE month > (SELECT max(month) FROM closed_months)"
            "       - make_interval(months => :months) ORDER BY currency, month"
        ),
        {"months": READ_MONTHS},
    )
    by_currency: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_currency.setdefault(row.currency, []).append(row)
    weight = {currency: sum(row.sales for row in rows) for currency, rows in by_currency.items()}
    return {
        currency: _figures(by_currency[currency])
        for currency in sorted(by_currency, key=lambda code: (-weight[code], code))
    }


def _figures(rows: Sequence[Row[Any]]) -> list[MonthFigures]:
    months = [
        Month(
            calendar.monthrange(row.month.year, row.month.month)[1],
            row.receivable,
            row.not_due,
            row.over_90,
            row.sales,
        )
        for row in rows
    ]
    found = []
    for index, (row, month) in enumerate(zip(rows, months, strict=True)):
        until = months[: index + 1]
        dso, best = dso_countback(until), best_possible_dso(until)
        found.append(
            MonthFigures(
                month=row.month,
                receivable=row.receivable,
                sales=row.sales,
                received=row.received,
                dso=dso,
                best_dso=best,
                days_delinquent=average_days_delinquent(dso, best),
                effectiveness=collection_effectiveness(months[index - 1], month) if index else None,
                at_risk=at_risk_rate(month),
                overdue=overdue_rate(month),
            )
        )
    return found[-SHOWN_MONTHS:]


def _days(month: date) -> int:
    return calendar.monthrange(month.year, month.month)[1]


def steps_and_money(session: Session, *, months: int = 6) -> list[Row[Any]]:
    """Of each step over the last closed months: `sent`, `followed` by money in time, `days` that it took in all."""
    query = text(
        "SELECT step, sum(sent)::bigint AS sent, sum(followed)::bigint AS followed, sum(days)::bigint AS days"
        "  FROM step_outcomes WHERE month > (SELECT max(month) FROM closed_months) - make_interval(months => :months)"
        " GROUP BY step ORDER BY sum(sent) DESC, step"
    )
    return list(session.execute(query, {"months": months}))


def promises_ended(session: Session, *, months: int = 12) -> Row[Any]:
    """How promises ended over the last closed months: `kept`, `partially_kept`, `broken`."""
    query = text(
        "SELECT coalesce(sum(kept), 0)::bigint AS kept, coalesce(sum(partially_kept), 0)::bigint AS partially_kept,"
        "       coalesce(sum(broken), 0)::bigint AS broken"
        "  FROM promise_outcomes"
        " WHERE month > (SELECT max(month) FROM closed_months) - make_interval(months => :months)"
    )
    return session.execute(query, {"months": months}).one()


def slowest_payers(session: Session, *, most: int) -> list[Row[Any]]:
    """Clients who pay latest, over twelve months: `client_id`, `name`, `paid`, `days_late`, `days_late_before`."""
    query = text(
        "SELECT b.client_id, c.name, b.paid, b.days_late, b.days_late_before"
        "  FROM payment_behaviour b JOIN clients c ON c.id = b.client_id"
        " ORDER BY b.days_late DESC, b.client_id DESC LIMIT :most"
    )
    return list(session.execute(query, {"most": most}))


def behaviour_of(session: Session, client_id: int) -> Row[Any] | None:
    """One client's: `paid`, `days_late`, `days_late_before`; None when it has paid nothing in that time."""
    query = text("SELECT paid, days_late, days_late_before FROM payment_behaviour WHERE client_id = :client")
    return session.execute(query, {"client": client_id}).one_or_none()


def last_closed(session: Session) -> date | None:
    """The first day of the newest closed month."""
    found: date | None = session.scalar(text("SELECT max(month) FROM closed_months"))
    return found
