"""Facts for the engine, read in a fixed number of statements for any number of clients."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.config import Settings
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


class _Answers(NamedTuple):
    promises: dict[int, tuple[date, int]]
    disputed: dict[int, int | None]
    claimed: dict[int, datetime]
    reviews: set[int]
    in_payment: set[int]


def load_rules(session: Session, settings: Settings, *, sender_ready: bool = True) -> Rules:
    """The installation's rules as they stand in this transaction."""
    opens, closes = (time.fromisoformat(part) for part in settings.sending_hours.split("-"))
    return Rules(
        opens=opens,
        closes=closes,
        contact_gap_days=settings.contact_gap_days,
        sending_paused=is_paused(session),
        sender_ready=sender_ready,
    )


def load_calendar(settings: Settings) -> WorkCalendar:
    """The sending hours of the settings."""
    opens, closes = (time.fromisoformat(part) for part in settings.sending_hours.split("-"))
    return WorkCalendar(opens, closes)


def load_clients(session: Session, client_ids: Collection[int], *, now: datetime) -> dict[int, ClientFacts]:
    """Everything that decides over these clients' letters, by client id. Closed invoices come only with
    reminders that still wait, so that their end can be explained."""
    ids = {"ids": list(client_ids)}
    schedules = current_schedules(session)
    invoices = _invoice_rows(session, ids)
    answers = _answers(session, [row.id for row in invoices])
    reminders = _reminders(session, [row.id for row in invoices])
    contacts = _contacts(session, ids)
    doubtful = set(session.scalars(text(_DOUBTFUL), ids))
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
            letter_unknown=row.id in doubtful,
        )
        for row in session.execute(text("SELECT * FROM clients WHERE id = ANY(:ids)"), ids)
    }


_DOUBTFUL = "SELECT DISTINCT client_id FROM letters WHERE state = 'unknown' AND client_id = ANY(:ids)"

_INVOICES = """
SELECT i.*, c.country, c.schedule_name AS client_schedule
  FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.client_id = ANY(:ids)
   AND (i.status = 'open' OR EXISTS (
        SELECT FROM reminders r WHERE r.invoice_id = i.id AND r.state IN ('planned', 'claimed')))
 ORDER BY i.due_on, i.id
"""

_CONTACTS = """
SELECT k.id, k.client_id, k.name, k.email, k.role, k.wrong_person_at,
       coalesce(k.locale, c.locale) AS locale, coalesce(k.timezone, c.timezone) AS timezone,
       (SELECT array_agg(s.reason) FROM suppressions s
         WHERE s.address = lower(k.email) AND s.lifted_at IS NULL) AS suppressed,
       (SELECT max(l.sending_at) FROM letters l
         WHERE l.to_address = k.email AND l.state NOT IN ('planned', 'failed', 'cancelled')) AS last_contact_at
  FROM contacts k JOIN clients c ON c.id = k.client_id
 WHERE k.client_id = ANY(:ids)
 ORDER BY k.id
"""


def _invoice_rows(session: Session, ids: dict[str, list[int]]) -> list[Row[Any]]:
    return list(session.execute(text(_INVOICES), ids))


def _contacts(session: Session, ids: dict[str, list[int]]) -> dict[int, list[ContactFacts]]:
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


def _reminders(session: Session, invoice_ids: list[int]) -> dict[int, list[ReminderFacts]]:
    query = text(
        "SELECT id, invoice_id, step, schedule_version, state, due_at, nudge_key, gap_overridden_by, reviewed_at"
        " FROM reminders WHERE invoice_id = ANY(:ids) ORDER BY due_at, id"
    )
    found: dict[int, list[ReminderFacts]] = defaultdict(list)
    for row in session.execute(query, {"ids": invoice_ids}):
        found[row.invoice_id].append(
            ReminderFacts(
                id=row.id,
                step=row.step,
                schedule_version=row.schedule_version,
                state=row.state,
                due_at=row.due_at,
                nudge_key=row.nudge_key,
                gap_overridden=row.gap_overridden_by is not None,
                reviewed=row.reviewed_at is not None,
            )
        )
    return found


def _answers(session: Session, invoice_ids: list[int]) -> _Answers:
    ids = {"ids": invoice_ids}

    def rows(query: str) -> Iterable[Row[Any]]:
        return session.execute(text(query), ids)

    return _Answers(
        promises={
            row.invoice_id: (row.promised_on, row.grace_days)
            for row in rows("SELECT * FROM promises WHERE state = 'pending' AND invoice_id = ANY(:ids)")
        },
        disputed={
            row.invoice_id: row.amount
            for row in rows(
                "SELECT invoice_id, CASE WHEN bool_or(amount IS NULL) THEN NULL ELSE sum(amount)::bigint END amount"
                " FROM disputes WHERE resolved_at IS NULL AND invoice_id = ANY(:ids) GROUP BY invoice_id"
            )
        },
        claimed={
            row.invoice_id: row.until
            for row in rows(
                "SELECT invoice_id, max(until) AS until FROM payment_claims"
                " WHERE settled_at IS NULL AND invoice_id = ANY(:ids) GROUP BY invoice_id"
            )
        },
        reviews={
            row.invoice_id
            for row in rows(
                "SELECT DISTINCT invoice_id FROM reviews WHERE resolved_at IS NULL AND invoice_id = ANY(:ids)"
            )
        },
        in_payment={
            row.id for row in rows("SELECT id FROM invoices WHERE money_state = 'in_payment' AND id = ANY(:ids)")
        },
    )


def _invoice_facts(
    row: Row[Any], schedules: dict[str, Schedule], answers: _Answers, reminders: Iterable[ReminderFacts]
) -> InvoiceFacts:
    promise = answers.promises.get(row.id)
    disputed = answers.disputed.get(row.id, 0)
    name = row.schedule_name or row.client_schedule or DEFAULT
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
        schedule=schedules.get(name) or schedules[DEFAULT],
        reminders=tuple(reminders),
        reminders_off=row.reminders_off_at is not None,
        paused_until=row.paused_until,
        amnesty=row.amnesty_at is not None,
        autopay_failed=row.autopay_failed_at is not None,
        promised_until=promise and _last_silent_day(promise, row.country),
        disputed=row.amount_remaining if disputed is None else disputed,
        claimed_paid_until=answers.claimed.get(row.id),
        in_payment=row.id in answers.in_payment,
        needs_review=row.id in answers.reviews or row.money_state in {"needs_review", "refunded"},
    )


def _last_silent_day(promise: tuple[date, int], country: str) -> date:
    """The promised day (or the working day after it) plus the grace in working days."""
    promised_on, grace_days = promise
    return add_business_days(next_working_day(promised_on, country), grace_days, country)
