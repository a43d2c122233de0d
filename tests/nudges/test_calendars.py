"""Local times, working days and sending hours, wherever the reader lives."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.nudges.calendars import (
    WorkCalendar,
    add_business_days,
    is_working_day,
    local_day,
    local_instant,
    next_working_day,
)
from nudgepay.nudges.facts import Schedule, Step
from nudgepay.nudges.timeline import timeline
from nudges.builders import at

ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
)
MONTH_ENDS = [date(2024, 2, 28), date(2024, 2, 29), date(2026, 2, 28), date(2026, 12, 31), date(2027, 1, 31)]
DAYS = st.sampled_from(MONTH_ENDS) | st.dates(date(2024, 1, 1), date(2030, 12, 31))


def first_instant_that_reads(day: date, moment: time, zone_name: str) -> datetime:
    """By search, in the one direction that is never ambiguous: from instants to what clocks show."""
    zone = ZoneInfo(zone_name)
    instant = datetime.combine(day, moment, UTC) - timedelta(hours=15)
    while instant.astimezone(zone).replace(tzinfo=None) < datetime.combine(day, moment):
        instant += timedelta(minutes=15)
    return instant


@settings(max_examples=200, deadline=None)
@given(DAYS, st.sampled_from([time(0, 0), time(9, 0), time(16, 30), time(23, 45)]), st.sampled_from(ZONES))
def test_the_opening_is_the_first_instant_at_which_the_readers_clock_shows_it(
    day: date, moment: time, zone_name: str
) -> None:
    found = local_instant(day, moment, zone_name)
    assert found == first_instant_that_reads(day, moment, zone_name)
    assert local_day(found, zone_name) == day


@settings(max_examples=150, deadline=None)
@given(DAYS, st.integers(-40, 40), st.sampled_from(ZONES), st.sampled_from(["DE", "US", "JP", "WS", "XX"]))
def test_a_step_comes_due_at_opening_on_the_first_working_day_from_its_own(
    due_on: date, offset: int, zone_name: str, country: str
) -> None:
    (step,) = timeline(
        Schedule("default", 1, (Step("A", "due_on", offset, False, "due", "firm"),)),
        issued_on=due_on,
        due_on=due_on,
        country=country,
        zone_name=zone_name,
        calendar=WorkCalendar(),
    )
    local = step.due_at.astimezone(ZoneInfo(zone_name))
    nominal = due_on + timedelta(days=offset)
    assert (local.hour, local.minute) == (9, 0)
    assert is_working_day(local.date(), country)
    assert not any(
        is_working_day(nominal + timedelta(days=ahead), country) for ahead in range((local.date() - nominal).days)
    )


@pytest.mark.parametrize(
    ("day", "moment", "zone_name", "instant"),
    [
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", "2026-03-29T01:30"),  # skipped: half past three
        (date(2026, 10, 25), time(2, 30), "Europe/Berlin", "2026-10-25T00:30"),  # twice: the first
        (date(2026, 3, 8), time(2, 30), "America/New_York", "2026-03-08T07:30"),
        (date(2026, 11, 1), time(1, 30), "America/New_York", "2026-11-01T05:30"),
        (date(2011, 12, 30), time(9, 0), "Pacific/Apia", "2011-12-30T19:00"),  # a day that never was: the next
        (date(2026, 1, 1), time(0, 0), "Pacific/Kiritimati", "2025-12-31T10:00"),
        (date(2026, 1, 1), time(0, 0), "Etc/GMT+12", "2026-01-01T12:00"),
    ],
)
def test_a_skipped_time_moves_forward_and_a_doubled_one_is_the_first(
    day: date, moment: time, zone_name: str, instant: str
) -> None:
    assert local_instant(day, moment, zone_name) == at(instant)


@pytest.mark.parametrize("sunday", [date(2026, 3, 29), date(2026, 10, 25)])
def test_on_both_sunday_changes_of_clocks_the_window_of_the_day_before_and_after_opens_at_nine(sunday: date) -> None:
    for day in (sunday - timedelta(days=2), sunday + timedelta(days=1)):
        opens = local_instant(day, time(9, 0), "Europe/Berlin")
        calendar = WorkCalendar()
        assert calendar.window(opens, "DE", "Europe/Berlin").is_open
        assert calendar.window(opens - timedelta(seconds=1), "DE", "Europe/Berlin").reason == "outside_window"
        assert opens.astimezone(ZoneInfo("Europe/Berlin")).hour == 9


@pytest.mark.parametrize(
    ("now", "reason", "opens_at"),
    [
        ("2026-04-02T06:59:59", "outside_window", "2026-04-02T07:00"),
        ("2026-04-02T15:00", "outside_window", "2026-04-07T07:00"),  # Thursday evening, then Easter
        ("2026-04-03T10:00", "holiday", "2026-04-07T07:00"),  # Good Friday
        ("2026-04-11T10:00", "holiday", "2026-04-13T07:00"),  # a Saturday
    ],
)
def test_outside_the_window_it_says_why_and_when_it_opens(now: str, reason: str, opens_at: str) -> None:
    window = WorkCalendar().window(at(now), "DE", "Europe/Berlin")
    assert (window.is_open, window.reason, window.opens_at) == (False, reason, at(opens_at))


def test_a_country_that_nobody_knows_has_weekends_only() -> None:
    assert is_working_day(date(2026, 12, 25), "XX")
    assert not is_working_day(date(2026, 12, 26), "XX")
    assert not is_working_day(date(2026, 12, 25), "DE")


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(-60, 60), st.sampled_from(["DE", "US", "XX"]))
def test_business_days_count_working_days_only_and_forth_and_back_agree(day: date, count: int, country: str) -> None:
    start = next_working_day(day, country)
    there = add_business_days(start, count, country)
    assert is_working_day(there, country)
    assert add_business_days(there, -count, country) == start
    lower, upper = min(start, there), max(start, there)
    between = sum(is_working_day(lower + timedelta(days=ahead), country) for ahead in range((upper - lower).days))
    assert between == abs(count)
