"""Working days, sending hours and the one converter between local times and instants. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

WEEKEND = frozenset({5, 6})
MAX_DAYS_WITHOUT_WORK = 60
"""No country closes longer; a guard against a calendar that never opens."""


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; raises ZoneInfoNotFoundError when there is none."""
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def _public_holidays(country: str, year: int) -> frozenset[date]:
    import holidays  # noqa: PLC0415  # the countries of the world, for whoever plans

    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()


@lru_cache(maxsize=65_536)
def is_working_day(day: date, country: str) -> bool:
    """Monday to Friday without the public holidays of `country` (ISO 3166-1; unknown: weekends only)."""
    return day.weekday() not in WEEKEND and day not in _public_holidays(country, day.year)


def next_working_day(day: date, country: str) -> date:
    """`day` itself when people work then, else the first working day after it."""
    for ahead in range(MAX_DAYS_WITHOUT_WORK):
        if is_working_day(candidate := day + timedelta(days=ahead), country):
            return candidate
    return day


def add_business_days(day: date, count: int, country: str) -> date:
    """The working day `count` working days after (before, when negative) `day`; 0 leaves the day as it is."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        left -= is_working_day(day, country)
    return day


@lru_cache(maxsize=65_536)
def local_instant(day: date, at: time, zone_name: str) -> datetime:
    """The instant (UTC) at which clocks in the zone show `at` on `day`.

    A time that a change of clocks skips moves forward with them; one that happens twice is the first
    (PEP 495, fold=0). Every other local time in the product goes through here.
    """
    return datetime.combine(day, at, zone(zone_name)).astimezone(UTC)


def local_day(instant: datetime, zone_name: str) -> date:
    """The date that people in the zone have at `instant`."""
    return instant.astimezone(zone(zone_name)).date()


@dataclass(frozen=True, slots=True)
class Window:
    """Whether letters may go now, and if not when (UTC) and why not."""

    is_open: bool
    opens_at: datetime
    reason: Literal["outside_window", "holiday"] | None


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Sending hours [opens, closes) in the reader's own zone, on working days of the reader's country.

    `closed`: days on which the business itself sends nothing. Business days are counted without them: they say
    when a letter may leave, not how long a payer has had.
    """

    opens: time = time(9, 0)
    closes: time = time(17, 0)
    closed: frozenset[date] = frozenset()

    def is_sending_day(self, day: date, country: str) -> bool:
        """A working day of the country on which the business is not closed."""
        return day not in self.closed and is_working_day(day, country)

    def next_sending_day(self, day: date, country: str) -> date:
        """`day` itself when letters may leave then, else the first such day after it."""
        for ahead in range(MAX_DAYS_WITHOUT_WORK + len(self.closed)):
            if self.is_sending_day(candidate := day + timedelta(days=ahead), country):
                return candidate
        return day

    def opening(self, day: date, country: str, zone_name: str) -> datetime:
        """When sending opens on the first sending day from `day` on (UTC)."""
        return local_instant(self.next_sending_day(day, country), self.opens, zone_name)

    def window(self, now: datetime, country: str, zone_name: str) -> Window:
        """The state of the sending hours at `now`."""
        today = local_day(now, zone_name)
        opens_at = local_instant(today, self.opens, zone_name)
        closes_at = local_instant(today, self.closes, zone_name)
        if not self.is_sending_day(today, country):
            return Window(False, self.opening(today, country, zone_name), "holiday")
        if now < opens_at:
            return Window(False, opens_at, "outside_window")
        if now >= closes_at:
            return Window(False, self.opening(today + timedelta(days=1), country, zone_name), "outside_window")
        return Window(True, opens_at, None)
