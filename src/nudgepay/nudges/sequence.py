"""Where an invoice stands in its schedule: what has left, which one step fits now, why the others end. Pure."""

from dataclasses import dataclass
from datetime import datetime

from nudgepay.nudges.facts import LEFT_STATES, InvoiceFacts, ReminderFacts
from nudgepay.nudges.reasons import FinalReason
from nudgepay.nudges.timeline import DueStep

CLOSED: dict[str, FinalReason] = {"paid": "paid", "void": "voided", "uncollectible": "uncollectible"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """An invoice's steps in the order in which they come due.

    `left`: codes that have left, under any version. `reached`: index of the latest step that has left or lies
    behind one that has, -1 when none. `fitting`: index of the one step that fits now, None when none does.
    """

    steps: tuple[DueStep, ...]
    version: int
    left: frozenset[str]
    reached: int
    fitting: int | None

    @property
    def is_over(self) -> bool:
        """True once the last step has left: silence for ever."""
        return self.reached == len(self.steps) - 1

    def index(self, code: str) -> int | None:
        """The place of a step, None when the schedule does not have it."""
        return next((place for place, item in enumerate(self.steps) if item.step.code == code), None)


def sequence(invoice: InvoiceFacts, steps: tuple[DueStep, ...], now: datetime) -> Sequence:
    """The invoice's place in its schedule at `now`.

    Of several due steps the latest whose minimum the claim reaches fits; when none is reached, the latest.
    """
    gone = [row for row in invoice.reminders if row.state in LEFT_STATES and row.nudge_key is None]
    reached = max((_place(row, steps) for row in gone), default=-1)
    due = [place for place, item in enumerate(steps) if place > reached and item.due_at <= now]
    worth = [place for place in due if steps[place].step.minimum_remaining <= invoice.claimable]
    fitting = max(worth or due, default=None)
    return Sequence(steps, invoice.schedule.version, frozenset(row.step for row in gone), reached, fitting)


def _place(row: ReminderFacts, steps: tuple[DueStep, ...]) -> int:
    """The place of a row that left; one of a code that the schedule no longer has counts by its instant."""
    for place, item in enumerate(steps):
        if item.step.code == row.step:
            return place
    return sum(item.due_at <= row.due_at for item in steps) - 1


def why_settled(invoice: InvoiceFacts) -> FinalReason | None:
    """Why nothing more may be claimed for this invoice, or None while something may."""
    if invoice.credited:
        return "credited"
    if invoice.status in CLOSED:
        return CLOSED[invoice.status]
    if invoice.remaining <= 0:
        return "paid"
    return "currency_mismatch" if invoice.currency_mismatch else None


def why_passed(row: ReminderFacts, place: Sequence) -> FinalReason | None:
    """Why this scheduled reminder has no turn any more, or None while it may still go."""
    if row.step in place.left:
        return "already_sent"
    if place.is_over:
        return "past_terminal_step"
    index = place.index(row.step)
    if row.schedule_version != place.version or index is None or index <= place.reached:
        return "superseded"
    return "superseded" if place.fitting is not None and index < place.fitting else None
