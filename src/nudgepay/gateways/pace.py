"""A token bucket: how many calls a second may leave through a door."""

import threading

from nudgepay import clock


class Pace:
    """At most `per_second` calls, shared by all threads of the process."""

    def __init__(self, *, per_second: float) -> None:
        """Starts full."""
        self._per_second = per_second
        self._tokens = per_second
        self._filled_at = clock.monotonic()
        self._turn = threading.Condition()

    def take(self, *, patience: float) -> bool:
        """Wait for a token, at most `patience` seconds; False when none came."""
        until = clock.monotonic() + patience
        with self._turn:
            while not self._has_token():
                if clock.monotonic() >= until:
                    return False
                self._turn.wait(timeout=1 / self._per_second)
            self._tokens -= 1
            return True

    def _has_token(self) -> bool:
        now = clock.monotonic()
        self._tokens = min(self._per_second, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        return self._tokens >= 1
