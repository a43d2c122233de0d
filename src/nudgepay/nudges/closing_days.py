"""Days on which the business sends nothing: kept as rows, honoured by the one calendar, changed in the open."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import UsageError
from nudgepay.invoices.validation import clean_line
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.models import ClosingDay

MOST_AT_ONCE = 92
MOST_AHEAD = 400
FARTHEST = timedelta(days=730)
EARLIER_ZONES = timedelta(hours=14)
"""A day has begun somewhere this long before it begins in UTC."""


class ClosingDaysError(UsageError):
    """These days cannot be closed; `field` (`first`, `last`, `name`) is where the cure is."""

    def __init__(self, field: str, message: str) -> None:
        """The field of the form and what is wrong with it."""
        self.field = field
        super().__init__(message)


def calendar_now(session: Session, calendar: WorkCalendar) -> WorkCalendar:
    """The calendar with the closing days as they stand in this transaction: whoever decides asks for it."""
    days = session.scalars(text("SELECT day FROM closing_days"))
    return replace(calendar, closed=frozenset(days))


def list_closing_days(session: Session, *, since: date) -> list[ClosingDay]:
    """Closing days from `since` on, in order."""
    return list(session.scalars(select(ClosingDay).where(ClosingDay.day >= since).order_by(ClosingDay.day)))


def ensure_closable(session: Session, first: date, last: date, name: str, *, today: date) -> list[date]:
    """The days from `first` to `last` that are not closed yet; raises ClosingDaysError."""
    clean_name(name)
    if first < today:
        raise ClosingDaysError("first", "a day that is over cannot be closed: begin today or later")
    if last < first:
        raise ClosingDaysError("last", "the last day lies before the first")
    if last > today + FARTHEST:
        raise ClosingDaysError("last", "that is too far ahead: close days of the next two years")
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    if len(days) > MOST_AT_ONCE:
        raise ClosingDaysError("last", f"at most {MOST_AT_ONCE} days at once; to send nothing at all, pause sending")
    known = {one.day for one in list_closing_days(session, since=today)}
    fresh = [day for day in days if day not in known]
    if not fresh:
        raise ClosingDaysError("first", "these days are closed already")
    if len(known) + len(fresh) > MOST_AHEAD:
        raise ClosingDaysError("last", f"at most {MOST_AHEAD} days can lie ahead: open some first")
    return fresh


def clean_name(name: str) -> str:
    """The reason as it is shown beside the day; raises ClosingDaysError."""
    try:
        return clean_line(name, "name", longest=80)
    except UsageError as error:
        raise ClosingDaysError("name", "name the reason in up to 80 characters") from error


def close_days(
    session: Session,
    first: date,
    last: date,
    name: str,
    *,
    calendar: WorkCalendar,
    today: date,
    now: datetime,
    actor: str,
) -> list[date]:
    """Send nothing from `first` to `last`; returns the days that were not closed before.

    What would have left on them is looked at again. Raises ClosingDaysError.
    """
    session.execute(text("LOCK TABLE closing_days IN SHARE ROW EXCLUSIVE MODE"))
    days = ensure_closable(session, first, last, name, today=today)
    rows = [{"day": day, "name": clean_name(name), "created_by": actor} for day in days]
    session.execute(insert(ClosingDay).values(rows).on_conflict_do_nothing())
    _wake(session, days, calendar_now(session, calendar), now=now)
    _record(session, "closing_days.close", days, actor=actor)
    return days


def open_days(
    session: Session, days: Collection[date], *, calendar: WorkCalendar, today: date, now: datetime, actor: str
) -> list[date]:
    """Send on these days again; returns those that were closed. Days that are over stay as they were."""
    session.execute(text("LOCK TABLE closing_days IN SHARE ROW EXCLUSIVE MODE"))
    closed = {one.day for one in list_closing_days(session, since=today)}
    opened = sorted(closed & set(days))
    if opened:
        _wake(session, opened, calendar_now(session, calendar), now=now)
        session.execute(delete(ClosingDay).where(ClosingDay.day.in_(opened)))
        _record(session, "closing_days.open", opened, actor=actor)
    return opened


def _record(session: Session, action: str, days: list[date], *, actor: str) -> None:
    after = {"days": [day.isoformat() for day in days]}
    audit.record(session, actor=actor, action=action, subject=f"closing_days:{days[0].isoformat()}", after=after)


def concerned_until(session: Session, days: Collection[date], calendar: WorkCalendar) -> datetime:
    """The end (UTC) of the instants that move when these days open or close. `calendar`: with them closed."""
    countries = session.scalars(text("SELECT DISTINCT country FROM clients"))
    last = max([max(days), *(calendar.next_sending_day(max(days), country) for country in countries)])
    return datetime.combine(last + timedelta(days=1), time(0), UTC) + EARLIER_ZONES


def _wake(session: Session, days: Collection[date], calendar: WorkCalendar, *, now: datetime) -> None:
    """Look again at what would leave on these days, or on the first sending day after them."""
    start = datetime.combine(min(days), time(0), UTC) - EARLIER_ZONES
    end = concerned_until(session, days, calendar)
    session.execute(text(_WAKE), {"start": start, "end": end, "now": now})


_WAKE = """
WITH concerned AS (
  SELECT id FROM invoices WHERE next_at >= :start AND next_at < :end
   UNION
  SELECT invoice_id FROM reminders WHERE state = 'planned' AND look_at >= :start AND look_at < :end
), locked AS (
  SELECT id FROM invoices WHERE id IN (SELECT id FROM concerned) AND status = 'open'
   ORDER BY id FOR NO KEY UPDATE
)
UPDATE invoices SET next_at = :now FROM locked WHERE invoices.id = locked.id
"""
"""In the order in which everybody locks invoices; the planner then looks at their waiting reminders, too."""
