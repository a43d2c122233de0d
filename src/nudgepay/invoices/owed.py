"""What is owed, by currency and age, from sums that each change of an invoice adds to; and the fold of those sums."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import UsageError

AGES: dict[str, tuple[int | None, int | None]] = {
    "current": (None, 0),
    "1-30": (1, 30),
    "31-60": (31, 60),
    "61-90": (61, 90),
    "91+": (91, None),
}
"""Each age by its fewest and most days after the due day; what is due today is current."""
FOLDING = 0x4E50_0009
"""The lock of the installation under which the sums are folded: two folds at once gain nothing."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Open invoices, and what is still owed on them (minor units)."""

    invoices: int = 0
    amount: int = 0


@dataclass(slots=True)
class OwedInCurrency:
    """One currency's open invoices by age; every one of AGES is there."""

    currency: str
    ages: dict[str, Owed] = field(default_factory=lambda: dict.fromkeys(AGES, Owed()))

    @property
    def total(self) -> Owed:
        """All ages."""
        cells = self.ages.values()
        return Owed(sum(cell.invoices for cell in cells), sum(cell.amount for cell in cells))

    @property
    def overdue(self) -> Owed:
        """All ages but the current one."""
        total, current = self.total, self.ages["current"]
        return Owed(total.invoices - current.invoices, total.amount - current.amount)


def due_between(age: str, *, today: date) -> tuple[date | None, date | None]:
    """The first and the last due day of an age, None where it has no bound; raises UsageError for an unknown one."""
    if age not in AGES:
        raise UsageError(f"{age!r} is no age; one of: {', '.join(AGES)}")
    fewest, most = (None if days is None else today - timedelta(days=days) for days in AGES[age])
    return most, fewest


_OWED = """
SELECT currency,
       CASE WHEN due_on >= :today THEN 'current' WHEN due_on >= :today - 30 THEN '1-30'
            WHEN due_on >= :today - 60 THEN '31-60' WHEN due_on >= :today - 90 THEN '61-90' ELSE '91+' END AS age,
       sum(invoices), sum(amount)
  FROM open_invoice_totals GROUP BY 1, 2
"""


def owed_by_age(session: Session, *, today: date) -> list[OwedInCurrency]:
    """What is owed on `today`, by currency, the one with most open invoices first."""
    found: dict[str, OwedInCurrency] = {}
    for currency, age, invoices, amount in session.execute(text(_OWED), {"today": today}):
        if invoices:
            owed = found.setdefault(currency, OwedInCurrency(currency))
            owed.ages[age] = Owed(int(invoices), int(amount))
    return sorted(found.values(), key=lambda owed: (-owed.total.invoices, owed.currency))


_IS_UNFOLDED = """
SELECT EXISTS (SELECT FROM open_invoice_totals GROUP BY currency, due_on HAVING count(*) > 1)
"""
_FOLD = """
WITH gone AS (
  DELETE FROM open_invoice_totals
   WHERE (currency, due_on) IN (
         SELECT currency, due_on FROM open_invoice_totals GROUP BY currency, due_on HAVING count(*) > 1)
  RETURNING currency, due_on, invoices, amount
), folded AS (
  INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)
  SELECT currency, due_on, sum(invoices), sum(amount) FROM gone GROUP BY currency, due_on
  HAVING sum(invoices) <> 0 OR sum(amount) <> 0
)
SELECT count(*) FROM gone
"""
"""One statement, so a reader sees the sums before it or after it, and what is appended meanwhile stays as it is."""


def is_unfolded(session: Session) -> bool:
    """True when a currency and day have more than one row."""
    return bool(session.scalar(text(_IS_UNFOLDED)))


def fold_totals(session: Session) -> int:
    """One row for each currency and day; returns how many rows were folded. Another fold at work has done it."""
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": FOLDING}):
        return 0
    return int(session.scalar(text(_FOLD)) or 0)
