"""When each step of an invoice comes due. Pure, and cached: invoices of one day share their answer."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from nudgepay.nudges.calendars import WorkCalendar, add_business_days
from nudgepay.nudges.facts import Schedule, Step

UNPLANNABLE = (OverflowError, ValueError, KeyError)
"""What dates beyond the calendar and a zone that nobody knows raise."""


@dataclass(frozen=True, slots=True)
class DueStep:
    """A step and the instant (UTC) from which on it is due."""

    step: Step
    due_at: datetime


@lru_cache(maxsize=65_536)
def timeline(
    schedule: Schedule, *, issued_on: date, due_on: date, country: str, zone_name: str, calendar: WorkCalendar
) -> tuple[DueStep, ...]:
    """Every step in the order in which it comes due.

    The nominal day is the anchor plus the offset; a nominal day on which the client's country does not work
    moves to the first working day after it; the instant is the opening of the sending hours of that day.
    """
    found = []
    previous = due_on
    for step in schedule.steps:
        anchor = {"due_on": due_on, "issued_on": issued_on, "previous_step": previous}[step.anchor]
        previous = _shift(anchor, step, country)
        found.append(DueStep(step, calendar.opening(previous, country, zone_name)))
    return tuple(sorted(found, key=lambda item: item.due_at))


def _shift(anchor: date, step: Step, country: str) -> date:
    if step.business_days:
        return add_business_days(anchor, step.offset_days, country)
    return anchor + timedelta(days=step.offset_days)
