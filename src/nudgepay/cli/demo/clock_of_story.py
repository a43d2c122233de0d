"""Business time of the story: told to every pass, so that it is the same at any hour of the wall clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

PASS_HOURS_UTC = (time(1, 30), time(6, 30), time(9, 30), time(15, 30))
"""Office time in Tokyo, in Kuwait, in Berlin and London, in New York."""
STORY_DAYS = 6


def story_start(now: datetime) -> datetime:
    """Midnight (UTC) of the story's first day."""
    return datetime.combine(now.date() - timedelta(days=STORY_DAYS), time(0, 0), UTC)


def passes(start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants of the passes from `start` up to, and excluding, `end`."""
    day = start.date()
    while day <= end.date():
        for at in PASS_HOURS_UTC:
            instant = datetime.combine(day, at, UTC)
            if start <= instant < end:
                yield instant
        day += timedelta(days=1)
