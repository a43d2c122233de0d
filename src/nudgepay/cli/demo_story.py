"""The demo's story: five days of business told in half a minute, on real rooms and a protocol-true Stripe.

Business time is told to every pass, so the story is the same at any hour: sending windows open in Tokyo
first and in New York last, whatever the clock on the wall says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

PASS_HOURS_UTC = (time(1, 30), time(6, 30), time(9, 30), time(15, 30))
"""Instants of a day at which it is office time in Tokyo, Kuwait, Berlin and London, New York."""
STORY_DAYS = 6


@dataclass(frozen=True, slots=True)
class StoryTime:
    """The story begins at `start` (UTC) and ends now."""

    start: datetime
    end: datetime

    def passes(self) -> Iterator[datetime]:
        """Every pass of the story, in order, the last one now."""
        day = self.start.date()
        while day <= self.end.date():
            for at in PASS_HOURS_UTC:
                instant = datetime.combine(day, at, UTC)
                if self.start <= instant < self.end:
                    yield instant
            day += timedelta(days=1)
        yield self.end


def story_time(now: datetime) -> StoryTime:
    """The last STORY_DAYS days, from their first pass on."""
    return StoryTime(datetime.combine(now.date() - timedelta(days=STORY_DAYS), time(0, 0), UTC), now)
