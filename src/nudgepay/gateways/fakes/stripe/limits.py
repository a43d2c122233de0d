"""Rate limits: so many calls per second and endpoint, the rest 429 (docs.stripe.com/rate-limits)."""

import threading
from collections import defaultdict, deque

from nudgepay import clock


class Limits:
    """Off until `per_second` is set. Seconds are real ones: moving the stand-in's clock grants no calls."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.per_second: int | None = None
        self.retry_after: int | None = None
        self.turned_away = 0
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def is_over(self, endpoint: str) -> bool:
        """Count a call; True when it is one too many."""
        if self.per_second is None:
            return False
        now = clock.monotonic()
        with self._lock:
            recent = self._recent[endpoint]
            while recent and now - recent[0] >= 1:
                recent.popleft()
            if len(recent) >= self.per_second:
                self.turned_away += 1
                return True
            recent.append(now)
            return False
