"""The only reader of time. Business time is an argument everywhere else; the edge asks here once."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never jumps; for deadlines only."""
    return time.monotonic()
