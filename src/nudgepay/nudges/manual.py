"""A nudge that a person sends: shown first, sent once for each key, recorded when it overrides the contact gap."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, metrics
from nudgepay.errors import Conflict, NotFound
from nudgepay.invoices.actions import InvoiceClosed
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.composing import contact_of
from nudgepay.nudges.facts import MANUAL, ClientFacts, Decision, ReminderFacts
from nudgepay.nudges.models import Reminder
from nudgepay.nudges.plan import plan
from nudgepay.nudges.previewing import write_preview
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.terms import Terms

PREVIEW_KEY = "preview"


class NudgeGone(Conflict):
    """The nudge is no order that waits any more."""


class KeyTaken(Conflict):
    """The key of this nudge was used for another invoice."""


@dataclass(frozen=True, slots=True)
class NudgePreview:
    """What would happen now: the decision, and the letter (to whom, subject, text) when it would go.

    `lines`: what else the letter reminds of, one decision for each invoice.
    """

    decision: Decision
    to: str | None
    subject: str | None
    text: str | None
    html: str | None = None
    lines: tuple[Decision, ...] = ()

    def as_document(self, number: str) -> dict[str, Any]:
        """The shape of `nudge send --preview --json`."""
        return {
            "invoice": number,
            "action": self.decision.action,
            "reason": self.decision.reason,
            "until": self.decision.until,
            "to": self.to,
            "subject": self.subject,
            "text": self.text,
        }


def request_nudge(
    session: Session, invoice: Invoice, *, key: str, override_gap: bool, now: datetime, actor: str
) -> Reminder:
    """Plan a nudge for the next pass; the same key again changes nothing. Raises KeyTaken.

    The engine still decides: nothing goes for what is paid, blocked, in flight or in doubt.
    """
    lock_client(session, invoice.client_id)
    created = session.scalar(
        insert(Reminder)
        .values(
            invoice_id=invoice.id,
            client_id=invoice.client_id,
            step=MANUAL,
            schedule_version=0,
            nudge_key=key,
            gap_overridden_by=actor if override_gap else None,
            due_at=now,
            look_at=now,
        )
        .on_conflict_do_nothing(index_elements=["nudge_key"])
        .returning(Reminder.id)
    )
    found = session.scalars(select(Reminder).where(Reminder.nudge_key == key)).one()
    if found.invoice_id != invoice.id:
        raise KeyTaken("this key was used for a nudge of another invoice: take a new one")
    if created is not None:
        audit.record(
            session,
            actor=actor,
            action="nudge.request",
            subject=f"reminders:{created}",
            after={"invoice": invoice.number, "gap_overridden": override_gap},
        )
        metrics.reminders.labels(stage=MANUAL, status="planned").inc()
    return found


def cancel_nudge(session: Session, reminder_id: int, *, actor: str) -> Reminder:
    """Take back a nudge that has not left. Raises NotFound, and NudgeGone when it has, or was taken back before."""
    client_id = session.scalar(select(Reminder.client_id).where(Reminder.id == reminder_id))
    if client_id is None:
        raise NotFound(f"there is no reminder {reminder_id}")
    lock_client(session, client_id)
    found = session.get_one(Reminder, reminder_id, populate_existing=True, with_for_update=True)
    if found.nudge_key is None or found.state != "planned":
        raise NudgeGone(f"reminder {reminder_id} is {found.state}: nothing was changed")
    found.state, found.held_reason, found.held_until, found.letter_id = "cancelled", None, None, None
    audit.record(session, actor=actor, action="nudge.cancel", subject=f"reminders:{reminder_id}")
    return found


def preview_nudge(
    session: Session, invoice: Invoice, *, override_gap: bool, terms: Terms, now: datetime
) -> NudgePreview:
    """What a nudge of this invoice would say and to whom, or why it would be held. Writes nothing.

    Raises InvoiceClosed, and what the writer raises.
    """
    client = load_clients(session, [invoice.client_id], now=now)[invoice.client_id]
    asked = _with_nudge(client, invoice.id, override_gap, now)
    rules, calendar = rules_now(session, terms.rules), calendar_now(session, terms.calendar)
    answer = plan(asked, rules=rules, calendar=calendar, now=now)
    decision = next(
        (
            one
            for one in answer.due
            if one.invoice_id == invoice.id and one.step == MANUAL and one.reminder_id is None
        ),
        None,
    )
    if decision is None:
        raise InvoiceClosed(f"invoice {invoice.number} is {invoice.status}: there is nothing to claim")
    letter = next((one for one in answer.letters if decision in one.decisions), None)
    if letter is None:
        return NudgePreview(decision, None, None, None)
    written = write_preview(session, asked, letter, terms=terms, now=now)
    to = contact_of(asked, letter).email
    return NudgePreview(decision, to, written.subject, written.text, written.html, letter.decisions)


def _with_nudge(client: ClientFacts, invoice_id: int, override_gap: bool, now: datetime) -> ClientFacts:
    nudge = ReminderFacts(None, MANUAL, 0, "planned", now, nudge_key=PREVIEW_KEY, gap_overridden=override_gap)
    return replace(
        client,
        invoices=tuple(
            replace(invoice, reminders=(*invoice.reminders, nudge)) if invoice.id == invoice_id else invoice
            for invoice in client.invoices
        ),
    )
