"""The arithmetic of trying: so many tries in a window, then a pause, and never more than so many a day. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

DAY = timedelta(hours=24)
A_DAY = 20
"""Tries of one account or device in any 24 hours."""
NETWORK = 4
NETWORK_A_DAY = 100
EVERYWHERE = 20
"""So many times the tries of one account may come from one network, and from everywhere."""


@dataclass(frozen=True, slots=True)
class Terms:
    """LOGIN_RATE_LIMIT_*: tries, in how many seconds, and for how many seconds none is looked at afterwards."""

    attempts: int
    window_seconds: int
    block_seconds: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What one scope allows. `a_day` None: no more than the windows do."""

    attempts: int
    window: timedelta
    block: timedelta
    a_day: int | None


@dataclass(frozen=True, slots=True)
class Tries:
    """What was tried: in the window that began at `window_from`, the times of a day, and the last one."""

    window_from: datetime | None = None
    window_count: int = 0
    times: tuple[datetime, ...] = ()
    counted_at: datetime | None = None


def limits_for(terms: Terms) -> dict[str, Limit]:
    """The limit of each scope."""
    window, block = timedelta(seconds=terms.window_seconds), timedelta(seconds=terms.block_seconds)

    def times(factor: int, a_day: int | None) -> Limit:
        return Limit(terms.attempts * factor, window, block, a_day)

    return {
        "device": times(1, A_DAY),
        "account": times(1, A_DAY),
        "network": times(NETWORK, NETWORK_A_DAY),
        "everywhere": times(EVERYWHERE, None),
    }


def open_again_at(tries: Tries, limit: Limit, *, at: datetime) -> datetime | None:
    """When the next try will be looked at; None when that is now."""
    ends = []
    if tries.window_count >= limit.attempts and tries.counted_at is not None:
        ends.append(tries.counted_at + limit.block)
    today = _of_a_day(tries, at)
    if limit.a_day is not None and len(today) >= limit.a_day:
        ends.append(today[-limit.a_day] + DAY)
    return max((end for end in ends if end > at), default=None)


def counted(tries: Tries, limit: Limit, *, at: datetime) -> Tries:
    """With one more try. A pause that is over, or a window, starts the count anew."""
    begins_anew = (
        tries.window_from is None
        or tries.window_count >= limit.attempts
        or not timedelta(0) <= at - tries.window_from < limit.window
    )
    times = (*_of_a_day(tries, at), at) if limit.a_day is not None else ()
    if begins_anew:
        return Tries(at, 1, times, at)
    return Tries(tries.window_from, tries.window_count + 1, times, at)


def forgiven(tries: Tries, *, at: datetime) -> Tries:
    """Without the try that was counted at this instant."""
    is_in_window = tries.window_from is not None and at >= tries.window_from
    count = max(0, tries.window_count - 1) if is_in_window else tries.window_count
    return replace(tries, window_count=count, times=tuple(one for one in tries.times if one != at))


def _of_a_day(tries: Tries, at: datetime) -> tuple[datetime, ...]:
    return tuple(one for one in tries.times if at - one < DAY)
