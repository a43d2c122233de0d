"""How fast and how completely money is collected: the field's own formulas. Pure; amounts in minor units.

DSO by the count-back (exhaustion) method, best possible DSO, average days delinquent, CEI and the share over 90 days
are the measures of the Credit Research Foundation's National Summary of Domestic Trade Receivables.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Month:
    """One month of one currency: its length in days, and the figures of its end."""

    days: int
    receivable: int
    not_due: int
    over_90: int
    sales: int


def dso_countback(months: Sequence[Month]) -> float | None:
    """Days of sales that the receivable at the end of the last month stands for; `months` oldest first.

    Counts back: a month whose sales are smaller than what is left of the receivable counts whole, the month in which
    it is used up counts in part. None when all months together do not use it up: it would be a guess.
    """
    if not months:
        return None
    left = float(months[-1].receivable)
    days = 0.0
    for month in reversed(months):
        if left <= 0:
            break
        if month.sales >= left:
            return days + month.days * left / month.sales
        left -= month.sales
        days += month.days
    return days if left <= 0 else None


def best_possible_dso(months: Sequence[Month]) -> float | None:
    """The DSO if nothing were late: the count-back of what is not due yet."""
    if not months:
        return None
    last = months[-1]
    current = Month(last.days, last.not_due, last.not_due, 0, last.sales)
    return dso_countback([*months[:-1], current])


def average_days_delinquent(dso: float | None, best: float | None) -> float | None:
    """DSO less best possible DSO: the days that lateness alone costs."""
    return None if dso is None or best is None else max(0.0, dso - best)


def collection_effectiveness(before: Month, after: Month) -> float | None:
    """CEI from the end of one month to the end of the next, 0 to 1: of what could be collected, how much was.

    (beginning receivable + sales - ending receivable) / (beginning receivable + sales - ending not due).
    None when nothing could be collected.
    """
    collectable = before.receivable + after.sales - after.not_due
    if collectable <= 0:
        return None
    return min(1.0, max(0.0, (before.receivable + after.sales - after.receivable) / collectable))


def at_risk_rate(month: Month) -> float | None:
    """Share of the receivable that is more than 90 days late; None when nothing is owed."""
    return month.over_90 / month.receivable if month.receivable > 0 else None


def overdue_rate(month: Month) -> float | None:
    """Share of the receivable that is late at all; None when nothing is owed."""
    return (month.receivable - month.not_due) / month.receivable if month.receivable > 0 else None


def promise_kept_rate(kept: int, partially_kept: int, broken: int) -> float | None:
    """Share of ended promises that were kept whole; None without any."""
    ended = kept + partially_kept + broken
    return kept / ended if ended else None
