"""Why a due step may not go now. The order of the tables is the order of precedence. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nudgepay.nudges.calendars import WorkCalendar, local_day
from nudgepay.nudges.facts import ClientFacts, ContactFacts, InvoiceFacts, Rules, Step
from nudgepay.nudges.reasons import HeldReason


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason, and the instant (UTC) at which it ends by itself, when it does."""

    reason: HeldReason
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One candidate: an invoice's step that could go now, manual or scheduled."""

    client: ClientFacts
    invoice: InvoiceFacts
    step: Step | None
    reviewed: bool
    gap_overridden: bool
    rules: Rules
    calendar: WorkCalendar
    now: datetime

    @property
    def is_manual(self) -> bool:
        """A person orders it: it does not wait for hours, pauses and switches of the schedule."""
        return self.step is None


Rule = Callable[[Situation], Hold | None]


def _amnesty(case: Situation) -> Hold | None:
    return Hold("amnesty") if case.invoice.amnesty else None


def _needs_review(case: Situation) -> Hold | None:
    return Hold("needs_review") if case.invoice.needs_review else None


def _reminders_off(case: Situation) -> Hold | None:
    return Hold("reminders_off") if case.invoice.reminders_off or case.client.reminders_off else None


def _autopay(case: Situation) -> Hold | None:
    return Hold("autopay") if case.client.autopay and not case.invoice.autopay_failed else None


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
    """Silent up to and including `last_day` of the client, then from the next opening on."""
    if last_day is None or local_day(case.now, case.client.timezone) > last_day:
        return None
    after = last_day + timedelta(days=1) if last_day < date.max else last_day
    return Hold(reason, case.calendar.opening(after, case.client.country, case.client.timezone))


def _below_tolerance(case: Situation) -> Hold | None:
    least = max(
        case.client.tolerance.get(case.invoice.currency, 0) + 1 if case.client.tolerance else 1,
        case.step.minimum_remaining if case.step else 0,
    )
    return Hold("below_tolerance") if case.invoice.claimable < least else None


def _review(case: Situation) -> Hold | None:
    return Hold("review") if case.step is not None and case.step.review and not case.reviewed else None


def _letter_unknown(case: Situation) -> Hold | None:
    return Hold("letter_unknown") if case.client.letter_unknown else None


def _balance_stale(case: Situation) -> Hold | None:
    return Hold("balance_stale") if case.rules.balance_stale else None


def _sender_not_ready(case: Situation) -> Hold | None:
    return None if case.rules.sender_ready else Hold("sender_not_ready")


def _sending_paused(case: Situation) -> Hold | None:
    return Hold("sending_paused") if case.rules.sending_paused else None


ALWAYS: tuple[Rule, ...] = (_needs_review, _disputed, _payment_in_flight, _letter_unknown)
"""Hold a manual nudge too."""

SCHEDULED: tuple[Rule, ...] = (
    _amnesty,
    _needs_review,
    _reminders_off,
    _autopay,
    _disputed,
    _payment_in_flight,
    _payment_claimed,
    _promised,
    _paused,
    _below_tolerance,
    _review,
    _letter_unknown,
    _balance_stale,
)

SENDER: tuple[Rule, ...] = (_sender_not_ready, _sending_paused)
"""Whether anything may leave at all."""


def first_hold(case: Situation) -> Hold | None:
    """The first reason of the tables that applies to the invoice and its step."""
    rules = (ALWAYS if case.is_manual else SCHEDULED) + SENDER
    return next(_applying(case, rules), None)


def _applying(case: Situation, rules: tuple[Rule, ...]) -> Iterator[Hold]:
    for rule in rules:
        if (hold := rule(case)) is not None:
            yield hold


def choose_recipient(client: ClientFacts) -> tuple[ContactFacts | None, Hold | None]:
    """The first contact who may be written to, billing before approver; else why there is none."""
    ranked = sorted(
        (contact for contact in client.contacts if contact.role != "copy"),
        key=lambda contact: (contact.role != "billing", contact.id),
    )
    if not ranked:
        return None, Hold("no_recipient")
    for contact in ranked:
        if contact.blocked is None:
            return contact, None
    return None, Hold(ranked[0].blocked or "no_recipient")


def timing_hold(case: Situation, contact: ContactFacts) -> Hold | None:
    """The contact gap over all invoices, then sending hours, weekends and holidays of the reader."""
    if not case.gap_overridden and (hold := _contact_gap(case, contact)) is not None:
        return hold
    if case.is_manual:
        return None
    window = case.calendar.window(case.now, case.client.country, contact.timezone)
    return None if window.reason is None else Hold(window.reason, window.opens_at)


def _contact_gap(case: Situation, contact: ContactFacts) -> Hold | None:
    """Whole days of the reader between two letters: after Monday with a gap of 2, Wednesday's opening."""
    if contact.last_contact_at is None or case.rules.contact_gap_days == 0:
        return None
    first_day = local_day(contact.last_contact_at, contact.timezone) + timedelta(days=case.rules.contact_gap_days)
    if local_day(case.now, contact.timezone) >= first_day:
        return None
    return Hold("contact_gap", case.calendar.opening(first_day, case.client.country, contact.timezone))
