"""A nudge that a person sends: shown first, sent once for each key, recorded when it overrides the contact gap."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict
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


class KeyTaken(Conflict):
    """The key of this nudge was used for another invoice."""


@dataclass(frozen=True, slots=True)
class NudgePreview:
    """What would happen now: the decision, and the letter (to whom, subject, text) when it would go."""

    decision: Decision
    to: str | None
    subject: str | None
    text: str | None

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
    return NudgePreview(decision, contact_of(asked, letter).email, written.subject, written.text)


def _with_nudge(client: ClientFacts, invoice_id: int, override_gap: bool, now: datetime) -> ClientFacts:
    nudge = ReminderFacts(None, MANUAL, 0, "planned", now, nudge_key=PREVIEW_KEY, gap_overridden=override_gap)
    return replace(
        client,
        invoices=tuple(
            replace(invoice, reminders=(*invoice.reminders, nudge)) if invoice.id == invoice_id else invoice
            for invoice in client.invoices
        ),
    )
