"""Why a step has not gone out: two closed lists. Nothing is written outside them."""

from typing import Literal, get_args

FinalReason = Literal[
    "paid",
    "voided",
    "uncollectible",
    "credited",
    "already_sent",
    "superseded",
    "past_terminal_step",
    "currency_mismatch",
]
"""The reminder ends `skipped`."""

HeldReason = Literal[
    "below_tolerance",
    "payment_in_flight",
    "autopay",
    "promised_until",
    "disputed",
    "paused_until",
    "reminders_off",
    "no_recipient",
    "wrong_person",
    "payment_claimed",
    "contact_bounced",
    "contact_complained",
    "opted_out",
    "contact_gap",
    "outside_window",
    "holiday",
    "amnesty",
    "review",
    "needs_review",
    "letter_unknown",
    "sender_not_ready",
    "balance_stale",
    "template_error",
    "sending_paused",
]
"""The reminder stays `planned` with `held_reason`; every pass looks again."""

REVERSIBLE: frozenset[str] = frozenset({"paid", "voided", "uncollectible", "credited", "currency_mismatch"})
"""Final reasons that speak of the invoice, not of the step: an invoice that is open again has its steps back."""

FINAL_REASONS: frozenset[str] = frozenset(get_args(FinalReason))
HELD_REASONS: frozenset[str] = frozenset(get_args(HeldReason))
