"""Facts for the engine, read in a fixed number of statements for any number of clients."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.config import Settings
from nudgepay.nudges.answer_facts import Answers, load_answers
from nudgepay.nudges.calendars import WorkCalendar, add_business_days, next_working_day
from nudgepay.nudges.facts import (
    ClientFacts,
    ContactFacts,
    InvoiceFacts,
    ReminderFacts,
    Rules,
    Schedule,
)
from nudgepay.nudges.reasons import HeldReason
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.nudges.switch import is_paused

BLOCKS: dict[str, HeldReason] = {
    "complained": "contact_complained",
    "bounced": "contact_bounced",
    "unsubscribed": "opted_out",
    "manual": "opted_out",
}
"""A suppression's reason as the engine names it, strongest first."""


STALE_EVENTS = """
SELECT EXISTS (
  SELECT FROM stripe_events
   WHERE handled_at IS NULL AND received_at < clock_timestamp() - interval '15 minutes')
"""
"""A provider's word that waits for a quarter of an hour may be a payment. One that is parked for a person after
its last attempt counts as handled, and has its own notice."""


def load_rules(session: Session, settings: Settings, *, sender_ready: bool = True) -> Rules:
    """The installation's rules as they stand in this transaction."""
    calendar = load_calendar(settings)
    return Rules(
        opens=calendar.opens,
        closes=calendar.closes,
        contact_gap_days=settings.contact_gap_days,
        sending_paused=is_paused(session),
        sender_ready=sender_ready,
        balance_stale=is_balance_stale(session),
    )


def rules_now(session: Session, rules: Rules) -> Rules:
    """The rules with what holds everybody at this moment: the big switch, and money that waits to be booked."""
    return replace(
        rules,
        sending_paused=rules.sending_paused or is_paused(session),
        balance_stale=rules.balance_stale or is_balance_stale(session),
    )


def is_balance_stale(session: Session) -> bool:
    """True while the provider's word waits to be booked for so long that an invoice may be paid unseen."""
    return bool(session.scalar(text(STALE_EVENTS)))


def load_calendar(settings: Settings) -> WorkCalendar:
    """The sending hours of the settings."""
    opens, closes = (time.fromisoformat(part) for part in settings.sending_hours.split("-"))
    return WorkCalendar(opens, closes)


def load_clients(
    session: Session,
    client_ids: Collection[int],
    *,
    now: datetime,
    run_id: uuid.UUID | None = None,
    but_letter: uuid.UUID | None = None,
) -> dict[int, ClientFacts]:
    """Everything that decides over these clients' letters at `now`, by client id.

    Closed invoices come only with reminders that still wait, so that their end can be explained. `run_id`: the
    pass that asks; its own letters to a client in another currency are no earlier contact of that client.
    `but_letter`: as if this letter had never been tried.
    """
    ids: dict[str, Any] = {"ids": list(client_ids)}
    schedules = current_schedules(session)
    invoices = _invoice_rows(session, ids)
    answers = load_answers(session, [row.id for row in invoices], now)
    reminders = _reminders(session, ids, [row.id for row in invoices])
    contacts = _contacts(session, {**ids, "run_id": run_id, "but_letter": but_letter})
    by_client: dict[int, list[InvoiceFacts]] = defaultdict(list)
    for row in invoices:
        by_client[row.client_id].append(_invoice_facts(row, schedules, answers, reminders.get(row.id, ())))
    return {
        row.id: ClientFacts(
            id=row.id,
            name=row.name,
            locale=row.locale,
            timezone=row.timezone,
            country=row.country,
            contacts=tuple(contacts.get(row.id, ())),
            invoices=tuple(by_client.get(row.id, ())),
            reminders_off=row.reminders_off_at is not None,
            paused_until=row.paused_until,
            autopay=row.autopay,
            tolerance=row.tolerance,
            letter_unknown=row.letter_unknown,
        )
        for row in session.execute(text(_CLIENTS), ids)
    }


_CLIENTS = """
SELECT *, id IN (SELECT client_id FROM letters WHERE state = 'unknown') AS letter_unknown
  FROM clients WHERE id = ANY(:ids)
"""

_INVOICES = """
SELECT i.*, c.country, c.schedule_name AS client_schedule
  FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.client_id = ANY(:ids)
   AND (i.status = 'open' OR i.id IN (
        SELECT r.invoice_id FROM reminders r WHERE r.client_id = ANY(:ids) AND r.state IN ('planned', 'claimed')))
 ORDER BY i.due_on, i.id
"""
"""The clients' own reminders only: asked invoice by invoice, PostgreSQL may read every reminder there is instead."""

_CONTACTS = """
SELECT k.id, k.client_id, k.name, k.email, k.role, k.wrong_person_at,
       coalesce(k.locale, c.locale) AS locale, coalesce(k.timezone, c.timezone) AS timezone,
       (SELECT array_agg(s.reason) FROM suppressions s
         WHERE s.address = lower(k.email) AND s.lifted_at IS NULL) AS suppressed,
       greatest(
         (SELECT max(l.sending_at) FROM letters l
           WHERE l.to_address = k.email AND l.state NOT IN ('planned', 'failed', 'cancelled')
             AND NOT (l.client_id = k.client_id AND l.run_id IS NOT DISTINCT FROM CAST(:run_id AS uuid)
                      AND l.run_id IS NOT NULL)
             AND l.id IS DISTINCT FROM CAST(:but_letter AS uuid)),
         (SELECT max(m.sending_at) FROM mailings m
           WHERE m.to_address = k.email AND m.kind = 'statement'
             AND m.state NOT IN ('planned', 'failed', 'cancelled'))) AS last_contact_at
  FROM contacts k JOIN clients c ON c.id = k.client_id
 WHERE k.client_id = ANY(:ids) AND k.removed_at IS NULL
 ORDER BY k.id
"""


def _invoice_rows(session: Session, ids: dict[str, Any]) -> list[Row[Any]]:
    return list(session.execute(text(_INVOICES), ids))


def _contacts(session: Session, ids: dict[str, Any]) -> dict[int, list[ContactFacts]]:
    found: dict[int, list[ContactFacts]] = defaultdict(list)
    for row in session.execute(text(_CONTACTS), ids):
        suppressed = row.suppressed or []
        blocked = next((word for reason, word in BLOCKS.items() if reason in suppressed), None)
        found[row.client_id].append(
            ContactFacts(
                id=row.id,
                name=row.name,
                email=row.email,
                role=row.role,
                locale=row.locale,
                timezone=row.timezone,
                blocked="wrong_person" if row.wrong_person_at is not None and blocked is None else blocked,
                last_contact_at=row.last_contact_at,
            )
        )
    return found


def _reminders(session: Session, ids: dict[str, Any], invoice_ids: list[int]) -> dict[int, list[ReminderFacts]]:
    query = text(
        "SELECT id, invoice_id, step, schedule_version, state, due_at, nudge_key, gap_overridden_by, reviewed_at,"
        " reason FROM reminders WHERE client_id = ANY(:ids) AND invoice_id = ANY(:invoice_ids) ORDER BY due_at, id"
    )
    found: dict[int, list[ReminderFacts]] = defaultdict(list)
    for row in session.execute(query, {**ids, "invoice_ids": invoice_ids}):
        found[row.invoice_id].append(
            plain_reminder(
                row,
                gap_overridden=row.gap_overridden_by is not None,
                reviewed=row.reviewed_at is not None,
            )
        )
    return found


def plain_invoice(
    row: Row[Any], schedule: Schedule, reminders: Iterable[ReminderFacts], **holds: Any
) -> InvoiceFacts:
    """What the invoice's own row says, and the holds that are given."""
    return InvoiceFacts(
        id=row.id,
        number=row.number,
        currency=row.currency,
        amount_due=row.amount_due,
        amount_paid=row.amount_paid,
        status=row.status,
        money_state=row.money_state,
        issued_on=row.issued_on,
        due_on=row.due_on,
        schedule=schedule,
        reminders=tuple(reminders),
        **holds,
    )


def plain_reminder(row: Row[Any], **overrides: bool) -> ReminderFacts:
    """What a reminder's row says, and the overrides that are given."""
    return ReminderFacts(
        id=row.id,
        step=row.step,
        schedule_version=row.schedule_version,
        state=row.state,
        due_at=row.due_at,
        nudge_key=row.nudge_key,
        reason=row.reason,
        **overrides,
    )


def _invoice_facts(
    row: Row[Any], schedules: dict[str, Schedule], answers: Answers, reminders: Iterable[ReminderFacts]
) -> InvoiceFacts:
    promise = answers.promises.get(row.id)
    disputed = answers.disputed.get(row.id, 0)
    name = row.schedule_name or row.client_schedule or DEFAULT
    return plain_invoice(
        row,
        schedules.get(name) or schedules[DEFAULT],
        reminders,
        follows=name,
        reminders_off=row.reminders_off_at is not None,
        paused_until=row.paused_until,
        amnesty=row.amnesty_at is not None,
        autopay=row.autopay,
        autopay_failed=row.autopay_failed_at is not None,
        promised_until=promise and _last_silent_day(promise, row.country),
        disputed=row.amount_remaining if disputed is None else disputed,
        claimed_paid_until=answers.claimed.get(row.id),
        in_payment=row.money_state == "in_payment",
        needs_review=row.id in answers.reviews or row.money_state == "needs_review",
        credited=row.amount_remaining <= 0 and row.id in answers.credit_only,
        currency_mismatch=row.id in answers.mismatched,
    )


def _last_silent_day(promise: tuple[date, int], country: str) -> date:
    """The promised day (or the working day after it) plus the grace in working days."""
    promised_on, grace_days = promise
    return add_business_days(next_working_day(promised_on, country), grace_days, country)
