"""Why a due step may not go now: one table of rules in their order of precedence. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nudgepay.nudges.calendars import WorkCalendar, local_day
from nudgepay.nudges.facts import ClientFacts, ContactFacts, InvoiceFacts, Rules, Step
from nudgepay.nudges.reasons import HeldReason

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason, and the instant (UTC) at which it ends by itself, when it does."""

    reason: HeldReason
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One candidate: an invoice's step that could go now. Without a step it is a nudge that a person ordered."""

    client: ClientFacts
    invoice: InvoiceFacts
    recipient: ContactFacts | None
    unreachable: Hold | None
    rules: Rules
    calendar: WorkCalendar
    now: datetime
    step: Step | None = None
    reviewed: bool = False
    gap_overridden: bool = False


Rule = Callable[[Situation], Hold | None]


def _amnesty(case: Situation) -> Hold | None:
    return Hold("amnesty") if case.invoice.amnesty else None


def _needs_review(case: Situation) -> Hold | None:
    return Hold("needs_review") if case.invoice.needs_review else None


def _reminders_off(case: Situation) -> Hold | None:
    return Hold("reminders_off") if case.invoice.reminders_off or case.client.reminders_off else None


def _autopay(case: Situation) -> Hold | None:
    is_debited = case.client.autopay or case.invoice.autopay
    return Hold("autopay") if is_debited and not case.invoice.autopay_failed else None


def _disputed(case: Situation) -> Hold | None:
    return Hold("disputed") if case.invoice.disputed and case.invoice.claimable == 0 else None


def _payment_in_flight(case: Situation) -> Hold | None:
    return Hold("payment_in_flight") if case.invoice.in_payment else None


def _payment_claimed(case: Situation) -> Hold | None:
    until = case.invoice.claimed_paid_until
    return Hold("payment_claimed", until) if until is not None and case.now < until else None


def _promised(case: Situation) -> Hold | None:
    return _silent_through(case, case.invoice.promised_until, "promised_until")


def _paused(case: Situation) -> Hold | None:
    days = [day for day in (case.invoice.paused_until, case.client.paused_until) if day is not None]
    return _silent_through(case, max(days, default=None), "paused_until")


def _silent_through(case: Situation, last_day: date | None, reason: HeldReason) -> Hold | None:
    """Silent through `last_day` of the client, up to the next opening after it; date.max has no end."""
    if last_day is None:
        return None
    if last_day == date.max:
        return Hold(reason)
    until = case.calendar.opening(last_day + ONE_DAY, case.client.country, case.client.timezone)
    return Hold(reason, until) if case.now < until else None


def _below_tolerance(case: Situation) -> Hold | None:
    worthless = case.client.tolerance.get(case.invoice.currency, 0)
    least = max(worthless + 1, case.step.minimum_remaining if case.step else 0)
    return Hold("below_tolerance") if case.invoice.claimable < least else None


def _review(case: Situation) -> Hold | None:
    return Hold("review") if case.step is not None and case.step.review and not case.reviewed else None


def _unreachable(case: Situation) -> Hold | None:
    return case.unreachable


def _letter_unknown(case: Situation) -> Hold | None:
    return Hold("letter_unknown") if case.client.letter_unknown else None


def _balance_stale(case: Situation) -> Hold | None:
    return Hold("balance_stale") if case.rules.balance_stale else None


def _sender_not_ready(case: Situation) -> Hold | None:
    return None if case.rules.sender_ready else Hold("sender_not_ready")


def _sending_paused(case: Situation) -> Hold | None:
    return Hold("sending_paused") if case.rules.sending_paused else None


def _contact_gap(case: Situation) -> Hold | None:
    last = case.recipient.last_contact_at if case.recipient else None
    if last is None or case.gap_overridden or case.rules.contact_gap_days == 0:
        return None
    hold = gap_after(case, last)
    return hold if hold.until is not None and case.now < hold.until else None


def _outside_window(case: Situation) -> Hold | None:
    window = case.calendar.window(case.now, case.client.country, _reader_zone(case))
    return None if window.reason is None else Hold(window.reason, window.opens_at)


PRECEDENCE: tuple[tuple[Rule, bool], ...] = (
    (_amnesty, False),
    (_needs_review, True),
    (_reminders_off, False),
    (_autopay, False),
    (_disputed, True),
    (_payment_in_flight, True),
    (_payment_claimed, False),
    (_promised, False),
    (_paused, False),
    (_below_tolerance, False),
    (_review, False),
    (_unreachable, True),
    (_letter_unknown, True),
    (_balance_stale, False),
    (_sender_not_ready, True),
    (_sending_paused, True),
    (_contact_gap, True),
    (_outside_window, False),
)
"""Every rule that may hold a step, in the order in which they are asked; the first that applies is the reason
shown. What only a person can end comes first, then what the payer said, then the invoice's own amount, the
reader, the installation, and last what the clock ends by itself. True: holds a nudge that a person orders too;
a person does not wait for hours, pauses and switches of the schedule."""


def first_hold(case: Situation) -> Hold | None:
    """The first reason of the table that applies."""
    asked = (rule for rule, holds_a_person in PRECEDENCE if holds_a_person or case.step is not None)
    return next((hold for rule in asked if (hold := rule(case)) is not None), None)


def choose_recipient(client: ClientFacts) -> tuple[ContactFacts | None, Hold | None]:
    """The first contact who may be written to, billing before approver; else why there is none."""
    ranked = sorted(
        (contact for contact in client.contacts if contact.role != "copy"),
        key=lambda contact: (contact.role != "billing", contact.id),
    )
    for contact in ranked:
        if contact.blocked is None:
            return contact, None
    return None, Hold((ranked[0].blocked if ranked else None) or "no_recipient")


def gap_after(case: Situation, last: datetime) -> Hold:
    """The contact gap over all invoices in whole days of the reader: after Monday with a gap of 2, Wednesday's
    opening; at least until the next day's."""
    zone_name = _reader_zone(case)
    free_day = local_day(last, zone_name) + max(1, case.rules.contact_gap_days) * ONE_DAY
    return Hold("contact_gap", case.calendar.opening(free_day, case.client.country, zone_name))


def _reader_zone(case: Situation) -> str:
    return case.recipient.timezone if case.recipient else case.client.timezone
