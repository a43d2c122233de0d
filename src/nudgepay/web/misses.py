"""Guessing tokens is slow: unknown links are counted per address and minute, in this process."""

import threading
from collections import OrderedDict

from nudgepay import clock
from nudgepay.errors import NudgePayError

PER_MINUTE = 30
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 20_000
"""Beyond these the address that was quiet longest is forgotten, so memory has a bound."""


class TooManyUnknownLinks(NudgePayError):
    """This address asked for too many links that do not exist."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        """`retry_after` in seconds."""
        self.retry_after = retry_after
        super().__init__("too many unknown links; wait a minute")


class Misses:
    """Unknown links by address, in windows of a minute."""

    def __init__(self, *, per_minute: int = PER_MINUTE) -> None:
        """`per_minute` unknown links are answered as such; then every link waits, known or not."""
        self._per_minute = per_minute
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def ensure_may_ask(self, address: str) -> None:
        """Raise TooManyUnknownLinks while the address has used up its window."""
        with self._lock:
            started, count = self._seen.get(address, (0.0, 0))
        left = started + WINDOW_SECONDS - clock.monotonic()
        if count >= self._per_minute and left > 0:
            raise TooManyUnknownLinks(int(left) + 1)

    def record(self, address: str) -> None:
        """Count one unknown link."""
        now = clock.monotonic()
        with self._lock:
            started, count = self._seen.pop(address, (now, 0))
            if now - started >= WINDOW_SECONDS:
                started, count = now, 0
            self._seen[address] = (started, count + 1)
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)
