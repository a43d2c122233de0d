"""What the pages of schedules have in common: an example's ruler, a difference cut to what a page can show."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.differences import InvoiceChange, count_letters, diff_calendar, diff_schedule
from nudgepay.nudges.facts import Step
from nudgepay.nudges.outlook import DAYS
from nudgepay.nudges.preview import span_ahead
from nudgepay.nudges.queries import load_calendar
from nudgepay.nudges.schedules import next_version
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.schedules.ruler import Ruler, ruler_of

COMPARED_CLIENTS = 100
COMPARED_INVOICES = 500
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Move:
    """One letter of an invoice that differs: gone, new, or both when its step only goes at another time."""

    step: str
    gone: datetime | None
    new: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An invoice whose letters differ."""

    change: InvoiceChange
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference as a page shows it: the first invoices, and the whole in numbers.

    `compared`: clients that were compared; `is_complete` and `until` say how far that reaches.
    """

    shown: tuple[Shown, ...]
    more: int
    gone: int
    new: int
    clients: int
    compared: int
    is_complete: bool
    until: datetime | None
    days: int = DAYS

    @property
    def is_empty(self) -> bool:
        """True when no letter differs."""
        return not self.shown


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
    return _shown(found.changes, compared=found.clients, is_complete=found.is_complete, until=None)


def closing_difference(
    session: Session, page: Page, *, closing: Iterable[date] = (), opening: Iterable[date] = ()
) -> Difference:
    """What it would change to close and to open these days."""
    span = span_ahead(session, page.runtime.settings, now=page.now, days=DAYS, if_resumed=True)
    closed = (span.calendar.closed | set(closing)) - set(opening)
    found = diff_calendar(
        session, span, closed=frozenset(closed), clients=COMPARED_CLIENTS, invoices=COMPARED_INVOICES
    )
    return _shown(found.changes, compared=found.clients, is_complete=found.until is None, until=found.until)


def _shown(
    changes: tuple[InvoiceChange, ...], *, compared: int, is_complete: bool, until: datetime | None
) -> Difference:
    gone, new = count_letters(changes)
    return Difference(
        shown=tuple(Shown(one, _moves(one)) for one in changes[:SHOWN]),
        more=max(0, len(changes) - SHOWN),
        gone=gone,
        new=new,
        clients=len({one.client_id for one in changes}),
        compared=compared,
        is_complete=is_complete,
        until=until,
    )


def _moves(change: InvoiceChange) -> tuple[Move, ...]:
    gone, new = dict(change.gone), dict(change.new)
    found = [Move(step, gone.get(step), new.get(step)) for step in dict.fromkeys([*gone, *new])]
    return tuple(sorted(found, key=lambda move: move.gone or move.new or change.new[0][1]))


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
