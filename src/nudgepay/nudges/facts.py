"""What the engine is told: frozen facts of one client, its schedules and the rules. Pure data, no database."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal

from nudgepay.nudges.reasons import FinalReason, HeldReason

Anchor = Literal["due_on", "issued_on", "previous_step"]
Tone = Literal["friendly", "firm", "final"]
Action = Literal["send", "hold", "skip"]
MANUAL = "manual"
LEFT_STATES = frozenset({"sending", "accepted", "delivered", "bounced", "complained", "unknown"})
"""States of a reminder whose step counts as sent, in this and every later version of a schedule."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `offset_days` counts calendar or business days from the anchor."""

    code: str
    anchor: Anchor
    offset_days: int
    business_days: bool
    template: str
    tone: Tone
    minimum_remaining: int = 0
    review: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """One version of a named schedule, steps in order."""

    name: str
    version: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """A person who may be written to. `blocked` is the strongest suppression of the address, if any.

    `last_contact_at` is the newest letter (or attempt that may have arrived) to this address, any invoice.
    """

    id: int
    name: str
    email: str
    role: str
    locale: str
    timezone: str
    blocked: HeldReason | None = None
    last_contact_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReminderFacts:
    """One row of `reminders`; the id lets a decision find it. `reason` is why a `skipped` one ended."""

    id: int | None
    step: str
    schedule_version: int
    state: str
    due_at: datetime
    nudge_key: str | None = None
    gap_overridden: bool = False
    reviewed: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """One invoice as it stands. Amounts in minor units; `disputed` is the contested part of the remainder."""

    id: int
    number: str
    currency: str
    amount_due: int
    amount_paid: int
    status: str
    money_state: str
    issued_on: date
    due_on: date
    schedule: Schedule
    """The version in force; the default one while no schedule has the name in `follows`."""
    follows: str = "default"
    reminders: tuple[ReminderFacts, ...] = ()
    reminders_off: bool = False
    paused_until: date | None = None
    amnesty: bool = False
    autopay: bool = False
    autopay_failed: bool = False
    promised_until: date | None = None
    """Last day of silence of a pending promise: the promised day plus its grace in business days."""
    disputed: int = 0
    claimed_paid_until: datetime | None = None
    in_payment: bool = False
    needs_review: bool = False
    credited: bool = False
    """Settled by credit notes alone."""
    currency_mismatch: bool = False
    """Money in another currency is allocated to it, so that no letter could name a true remainder."""

    @property
    def remaining(self) -> int:
        """What is still owed, in minor units."""
        return self.amount_due - self.amount_paid

    @property
    def claimable(self) -> int:
        """What a letter may ask for: the uncontested part of the remainder."""
        return max(0, self.remaining - self.disputed)


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """Everything about one client that decides over its letters. `letter_unknown`: one is in doubt."""

    id: int
    name: str
    locale: str
    timezone: str
    country: str
    contacts: tuple[ContactFacts, ...]
    invoices: tuple[InvoiceFacts, ...]
    reminders_off: bool = False
    paused_until: date | None = None
    autopay: bool = False
    tolerance: dict[str, int] = field(default_factory=dict)
    letter_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The installation's rules. Hours are local to the client."""

    opens: time = time(9, 0)
    closes: time = time(17, 0)
    contact_gap_days: int = 2
    sending_paused: bool = False
    sender_ready: bool = True
    balance_stale: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one step of one invoice.

    `at`: for `send` the instant at which it goes; for `hold` and `skip` the step's due instant (UTC).
    `until`: when a hold may end, where a clock says so. `amount`: what the letter claims for it (minor units).
    """

    invoice_id: int
    step: str
    schedule_version: int
    action: Action
    at: datetime
    reason: FinalReason | HeldReason | None = None
    until: datetime | None = None
    reminder_id: int | None = None
    amount: int = 0
    template: str = ""
    tone: Tone = "friendly"


@dataclass(frozen=True, slots=True)
class LetterPlan:
    """One letter that may go now: a contact, a currency, its `send` decisions (one for each invoice), oldest
    invoice first."""

    contact_id: int
    currency: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The engine's answer for one client at one instant.

    `due`: one decision for every step that is due (or every open reminder row). `letters`: what goes now.
    `next_at`: per invoice id, the next instant at which something may change without a new fact (UTC; a letter
    that goes is a fact), None when nothing can.
    """

    due: tuple[Decision, ...]
    letters: tuple[LetterPlan, ...]
    next_at: dict[int, datetime | None]
