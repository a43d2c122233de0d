"""What a pass of the sender came to. Thread-safe where letters are handed over side by side."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nudgepay.nudges.recording import Silence


@dataclass(slots=True)
class SendingReport:
    """Counts by outcome, and the last word on every reminder that stayed silent."""

    counts: Counter[str] = field(default_factory=Counter)
    silences: dict[int, Silence] = field(default_factory=dict)
    letters: set[uuid.UUID] = field(default_factory=set)
    reminders: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: str, many: int = 1) -> None:
        """`accepted failed unknown planned` (put back) `fenced too_late poisoned`."""
        with self._lock:
            self.counts[outcome] += many

    def hush(self, silences: list[Silence]) -> None:
        """Remember why these did not go; a later look has the last word."""
        with self._lock:
            self.silences |= {silence.reminder_id: silence for silence in silences}

    def speak(self, letter_id: uuid.UUID, reminder_ids: Iterable[int]) -> None:
        """This letter was written, with these reminders."""
        with self._lock:
            self.letters.add(letter_id)
            self.reminders.update(reminder_ids)

    def held(self) -> list[dict[str, Any]]:
        """Reminders that stay planned, with the reason and the instant at which a clock ends it."""
        return [
            {"invoice": one.invoice, "step": one.step, "reason": one.reason, "until": one.until}
            for one in self.silences.values()
            if not one.is_final
        ]

    def skipped(self) -> list[dict[str, Any]]:
        """Reminders that will never go, with the reason."""
        return [
            {"invoice": one.invoice, "step": one.step, "reason": one.reason}
            for one in self.silences.values()
            if one.is_final
        ]
