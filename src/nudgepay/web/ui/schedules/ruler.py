"""A schedule in words and on a ruler around the due day, worked out by the engine for an example."""

from dataclasses import dataclass
from datetime import date, timedelta

from nudgepay.nudges.calendars import WorkCalendar, local_day
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.timeline import UNPLANNABLE, timeline
from nudgepay.web.ui.page import Page

TERM = timedelta(days=30)
"""An example invoice is issued today and due a month later."""
LEFT, WIDTH = 6.0, 88.0
ROOM = 11.0
"""Per cent of the ruler that a label takes."""
LEVELS = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A step on the ruler: `x` in per cent, `level` of its label, the day on which it would go."""

    step: Step
    on: date
    x: float
    level: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class Ruler:
    """Marks in order of time; `due_x` is the due day, `issued_x` the day of issue where a step counts from it."""

    due_on: date
    due_x: float
    issued_x: float | None
    marks: tuple[Mark, ...]

    @property
    def height(self) -> int:
        """Pixels, as many as the labels need."""
        return 60 + 18 * max((mark.level for mark in self.marks), default=0)


def ruler_of(
    steps: tuple[Step, ...], *, today: date, calendar: WorkCalendar, country: str, zone: str
) -> Ruler | None:
    """The ruler of an invoice issued today; None when its days leave the calendar."""
    due_on = today + TERM
    try:
        found = timeline(
            Schedule("", 0, steps), issued_on=today, due_on=due_on, country=country, zone_name=zone, calendar=calendar
        )
    except UNPLANNABLE:
        return None
    days = [(item.step, local_day(item.due_at, zone)) for item in found]
    from_issue = any(step.anchor == "issued_on" for step in steps)
    lower = min([due_on, *(day for _, day in days), *([today] if from_issue else [])])
    upper = max([due_on, *(day for _, day in days)])
    span = max(1, (upper - lower).days)

    def x(day: date) -> float:
        return round(LEFT + WIDTH * (day - lower).days / span, 2)

    ends = [-ROOM] * LEVELS
    marks = []
    for step, day in days:
        at = x(day)
        level = next((one for one in range(LEVELS) if at - ends[one] >= ROOM), LEVELS - 1)
        ends[level] = at
        marks.append(Mark(step, day, at, level, step.tone == "final"))
    return Ruler(due_on, x(due_on), x(today) if from_issue else None, tuple(marks))


def when_text(page: Page, step: Step) -> str:
    """`3 days before the due day`."""
    count = abs(step.offset_days)
    if count == 0:
        on = {
            "due_on": page.gettext("On the due day"),
            "issued_on": page.gettext("On the day of issue"),
            "previous_step": page.gettext("On the day of the step before"),
        }
        return on[step.anchor]
    if step.business_days:
        span = page.ngettext("%(count)s working day", "%(count)s working days", count) % {"count": count}
    else:
        span = page.ngettext("%(count)s day", "%(count)s days", count) % {"count": count}
    before = {
        "due_on": page.gettext("%(span)s before the due day"),
        "issued_on": page.gettext("%(span)s before the day of issue"),
        "previous_step": page.gettext("%(span)s before the step before"),
    }
    after = {
        "due_on": page.gettext("%(span)s after the due day"),
        "issued_on": page.gettext("%(span)s after the day of issue"),
        "previous_step": page.gettext("%(span)s after the step before"),
    }
    return (before if step.offset_days < 0 else after)[step.anchor] % {"span": span}
