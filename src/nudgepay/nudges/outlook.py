"""The days ahead as people look at them: letters, days, reasons. Worked out by the one engine for a bounded number of
clients, and honest about how far that reaches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from nudgepay.config import Settings
from nudgepay.nudges.calendars import local_instant
from nudgepay.nudges.closing_days import list_closing_days
from nudgepay.nudges.line import CLIENTS, INVOICES, Line, count_steps, stand_in_line
from nudgepay.nudges.preview import Foreseen, Span, foresee_some, span_ahead
from nudgepay.nudges.reasons import FINAL_REASONS
from nudgepay.nudges.switch import pause_reason

DAYS = 60
REACHES = (1, 3, 10)
"""How many times the usual number of clients a person may ask for; each takes that much longer."""
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail that would go: its lines are invoices of one client in one currency at one instant."""

    lines: tuple[Foreseen, ...]

    @property
    def first(self) -> Foreseen:
        """Client, currency and zone are the same for all lines."""
        return self.lines[0]

    @property
    def at(self) -> datetime:
        """When it goes (UTC)."""
        return self.first.decision.at

    @property
    def amount(self) -> int:
        """What it asks for, in minor units."""
        return sum(one.decision.amount for one in self.lines)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The engine's answers for `clients` clients, in order of time.

    `until`: everything before it is here; None: everything of the span is. `pause`: why sending is paused; the
    answers are then what would happen were it resumed now.
    """

    span: Span
    lines: tuple[Foreseen, ...]
    clients: int
    until: datetime | None
    pause: str | None

    def is_exact_before(self, instant: datetime) -> bool:
        """True when nothing before the instant is missing."""
        return self.until is None or instant <= self.until


def load_outlook(
    session: Session, settings: Settings, *, now: datetime, client_id: int | None = None, reach: int = 1
) -> Outlook:
    """The next DAYS days of one client, or of those whose turn comes first."""
    pause = pause_reason(session)
    span = span_ahead(session, settings, now=now, days=DAYS, if_resumed=True)
    if client_id is not None:
        line = Line((client_id,), None)
    else:
        line = stand_in_line(session, end=span.end, clients=CLIENTS * reach, invoices=INVOICES * reach)
    found = sorted(foresee_some(session, span, line.client_ids), key=_in_order)
    return Outlook(span, tuple(found), len(line.client_ids), line.until, pause)


def _in_order(one: Foreseen) -> tuple[datetime, str, int, str]:
    return one.decision.at, one.client, one.client_id, one.invoice


def letters_of(lines: Iterable[Foreseen]) -> list[Letter]:
    """The letters that these lines make, in order of time."""
    grouped: dict[tuple[datetime, int, str], list[Foreseen]] = {}
    for one in lines:
        if one.decision.action == "send":
            grouped.setdefault((one.decision.at, one.client_id, one.currency), []).append(one)
    return [Letter(tuple(found)) for found in grouped.values()]


@dataclass(frozen=True, slots=True)
class Silence:
    """A reason of silence: the invoices whose due step it holds now, and every time that it is given in the span.

    `is_final`: those steps end.
    """

    reason: str
    now: int
    ever: int
    is_final: bool


def silences_of(lines: Iterable[Foreseen], *, now: datetime) -> list[Silence]:
    """Reasons of silence in these lines, those that hold most invoices now first; final ones after them."""
    given = [one for one in lines if one.decision.reason is not None]
    ever = Counter(str(one.decision.reason) for one in given)
    held: dict[int, str] = {}
    for one in given:
        if one.decision.action == "hold" and one.decision.at <= now:
            held.setdefault(one.decision.invoice_id, str(one.decision.reason))
    at_present = Counter(held.values())
    found = [Silence(one, at_present[one], count, one in FINAL_REASONS) for one, count in ever.items()]
    return sorted(found, key=lambda one: (one.is_final, -one.now, -one.ever, one.reason))


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the person's calendar. `coming`: where the letters are not worked out, how many invoices have
    their next step then, at most one more than MOST_COUNTED."""

    on: date
    letters: tuple[Letter, ...]
    is_exact: bool
    is_sending_day: bool
    closed_for: str | None
    coming: int = 0

    @property
    def count(self) -> int:
        """Letters known of."""
        return len(self.letters)

    @property
    def is_busy(self) -> bool:
        """True when there is something to see."""
        return bool(self.letters or self.coming or self.closed_for)


def days_of(
    session: Session, outlook: Outlook, letters: Iterable[Letter], *, zone: ZoneInfo, country: str
) -> list[Day]:
    """Every day of the span in the person's zone."""
    first = outlook.span.start.astimezone(zone).date()
    last = outlook.span.end.astimezone(zone).date()
    by_day: dict[date, list[Letter]] = {}
    for letter in letters:
        by_day.setdefault(letter.at.astimezone(zone).date(), []).append(letter)
    names = {one.day: one.name for one in list_closing_days(session, since=first)}
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    begins = {day: local_instant(day, time(0), zone.key) for day in [*days, last + timedelta(days=1)]}
    ends = {day: begins[day + timedelta(days=1)] for day in days}
    exact = {day: outlook.is_exact_before(min(ends[day], outlook.span.end)) for day in days}
    hidden = [day for day in days if not exact[day]]
    coming = count_steps(session, [(begins[day], ends[day]) for day in hidden], most=MOST_COUNTED + 1)
    counts = dict(zip(hidden, coming, strict=True))
    calendar = outlook.span.calendar
    return [
        Day(
            on=day,
            letters=tuple(by_day.get(day, ())),
            is_exact=exact[day],
            is_sending_day=calendar.is_sending_day(day, country),
            closed_for=names.get(day),
            coming=counts.get(day, 0),
        )
        for day in days
    ]
