"""A token bucket: how many calls a second may leave through a door."""

import threading

from nudgepay import clock

BURST = 0.25
"""The share of a second's calls that may leave at once; the rest is spread, so that no second sees more."""


class Pace:
    """At most `per_second` calls in any second, shared by all threads of the process."""

    def __init__(self, *, per_second: float) -> None:
        """Starts with a full burst; `per_second` must be 4 or more."""
        self._rate = per_second * (1 - BURST)
        self._most = per_second * BURST
        self._tokens = self._most
        self._filled_at = clock.monotonic()
        self._held_until = self._filled_at
        self._turn = threading.Condition()

    def take(self, *, patience: float) -> bool:
        """Wait for a token, at most `patience` seconds; False when none came."""
        until = clock.monotonic() + patience
        with self._turn:
            while (wait := self._seconds_to_token()) > 0:
                left = until - clock.monotonic()
                if wait > left:
                    return False
                self._turn.wait(timeout=wait)
            self._tokens -= 1
            return True

    def hold(self, seconds: float) -> None:
        """Let nobody leave for so long: the other side asked for it."""
        with self._turn:
            self._held_until = max(self._held_until, clock.monotonic() + seconds)

    def _seconds_to_token(self) -> float:
        now = clock.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        missing = max(0.0, (1 - self._tokens) / self._rate)
        return max(missing, self._held_until - now)
