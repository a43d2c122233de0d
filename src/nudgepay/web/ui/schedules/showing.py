"""What the pages of schedules have in common: an example's ruler, and what an edit would change."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.differences import diff_calendar, diff_schedule
from nudgepay.nudges.facts import Step
from nudgepay.nudges.outlook import DAYS
from nudgepay.nudges.preview import span_ahead
from nudgepay.nudges.queries import load_calendar
from nudgepay.nudges.schedules import next_version
from nudgepay.web.ui.differences import Difference, difference_of
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.schedules.ruler import Ruler, ruler_of

COMPARED_CLIENTS = 100
COMPARED_INVOICES = 500


def schedule_difference(session: Session, page: Page, name: str, steps: tuple[Step, ...]) -> Difference:
    """What these steps would change for everybody who follows the schedule."""
    span = span_ahead(session, page.runtime.settings, now=page.now, days=DAYS, if_resumed=True)
    found = diff_schedule(
        session,
        name,
        steps,
        version=next_version(session),
        span=span,
        most_clients=COMPARED_CLIENTS,
        most_invoices=COMPARED_INVOICES,
    )
    return difference_of(found.changes, compared=found.clients, is_complete=found.is_complete)


def closing_difference(
    session: Session, page: Page, *, closing: Iterable[date] = (), opening: Iterable[date] = ()
) -> Difference:
    """What it would change to close and to open these days."""
    span = span_ahead(session, page.runtime.settings, now=page.now, days=DAYS, if_resumed=True)
    closed = (span.calendar.closed | set(closing)) - set(opening)
    found = diff_calendar(
        session, span, closed=frozenset(closed), clients=COMPARED_CLIENTS, invoices=COMPARED_INVOICES
    )
    return difference_of(found.changes, compared=found.clients, is_complete=found.until is None, until=found.until)


def example(session: Session, page: Page, steps: tuple[Step, ...]) -> Ruler | None:
    """The ruler of an invoice that the business would write today to a client of its own country."""
    settings = page.runtime.settings
    return ruler_of(
        steps,
        today=local_day(page.now, settings.business_timezone),
        calendar=calendar_now(session, load_calendar(settings)),
        country=settings.business_country,
        zone=settings.business_timezone,
    )
