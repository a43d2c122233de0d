"""What may go wrong on purpose: ordered by a test, met by the next calls that fit."""

import threading
from collections import deque
from dataclasses import dataclass

HANG_SECONDS = 30

KINDS = frozenset(
    {
        "ok",  # lets one call pass
        "drop",  # no effect, the connection closes without an answer
        "drop_after",  # takes effect, then the connection closes without an answer
        "hang_after",  # takes effect, then never answers: the caller's timeout ends it
        "hold",  # begins its work and ends it only after `release()`
        "500",  # the endpoint fails while at work: saved for the key, no effect
        "500_after",  # takes effect, but the endpoint fails: saved for the key
        "503",  # turned away before any work: not saved
        "429",  # the limiter turns it away: not saved
        "401",  # the key counts as revoked for this call
    }
)


@dataclass(frozen=True, slots=True)
class _Ordered:
    kind: str
    on: str


class Faults:
    """A queue of faults."""

    def __init__(self) -> None:
        """Empty."""
        self._ordered: deque[_Ordered] = deque()
        self._lock = threading.Lock()
        self.released = threading.Event()
        self.holding = threading.Event()

    def order(self, *kinds: str, on: str) -> None:
        """Each of the next calls whose `METHOD path` begins with `on` meets one of them; "" fits every call."""
        unknown = set(kinds) - KINDS
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
        with self._lock:
            self._ordered.extend(_Ordered(kind, on) for kind in kinds)

    def next_for(self, method: str, path: str) -> str:
        """The fault that this call meets, `ok` for none."""
        with self._lock:
            for ordered in self._ordered:
                if f"{method} {path}".startswith(ordered.on):
                    self._ordered.remove(ordered)
                    return ordered.kind
        return "ok"

    def clear(self) -> None:
        """Forget what was ordered."""
        with self._lock:
            self._ordered.clear()

    def hold(self) -> None:
        """Wait until `released` is set, at most HANG_SECONDS; `holding` tells that somebody does."""
        self.holding.set()
        self.released.wait(HANG_SECONDS)
