"""From plans to drafts: which letters a look makes, under which names, with what particulars."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.invoices.models import new_token
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.composing import Document, Draft, Particulars, contact_of
from nudgepay.nudges.facts import ClientFacts, Decision, LetterPlan, Plan
from nudgepay.nudges.mime import Attachment, message_id
from nudgepay.nudges.plan import timeline_of
from nudgepay.nudges.recording import insert_missing
from nudgepay.nudges.terms import InvoicePdfs, Terms
from nudgepay.nudges.texts import texts_in_force

THREAD = 5
"""Earlier letters that a new one refers to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer for one client."""

    client: ClientFacts
    plan: Plan


def draft_letters(session: Session, answers: Sequence[Answer], *, terms: Terms, now: datetime) -> list[Draft]:
    """A draft for every letter that may go; one that was put back earlier is taken up under its own name."""
    waiting = _waiting(session, [answer.client.id for answer in answers])
    new_rows = _rows_of_joining_steps(session, answers, terms=terms, now=now)
    drafts = []
    for answer in answers:
        for letter in answer.plan.letters:
            decisions = tuple(_with_rows(letter.decisions, new_rows))
            if decisions:
                drafts.append(_draft(answer.client, letter, decisions, waiting, terms))
    return drafts


def _draft(
    client: ClientFacts,
    letter: LetterPlan,
    decisions: tuple[Decision, ...],
    waiting: dict[tuple[int, int, str], Row[Any]],
    terms: Terms,
) -> Draft:
    earlier = waiting.pop((client.id, letter.contact_id, letter.currency), None)
    letter_id = earlier.id if earlier else uuid.uuid4()
    return Draft(
        letter_id=letter_id,
        n=earlier.n if earlier else 1,
        message_id=earlier.message_id if earlier else message_id(letter_id, 1, terms.business.from_email),
        token=earlier.token if earlier else new_token(),
        client_id=client.id,
        contact=contact_of(client, letter),
        currency=letter.currency,
        decisions=decisions,
    )


def _waiting(session: Session, client_ids: Sequence[int]) -> dict[tuple[int, int, str], Row[Any]]:
    query = text(
        "SELECT id, client_id, contact_id, currency, n, message_id, token FROM letters"
        " WHERE client_id = ANY(:ids) AND state = 'planned' ORDER BY created_at, id FOR NO KEY UPDATE"
    )
    found = session.execute(query, {"ids": list(client_ids)})
    return {(row.client_id, row.contact_id, row.currency): row for row in found}


def cancel_forsaken(session: Session, client_ids: Sequence[int]) -> None:
    """Letters that were put back, and that no waiting reminder asks for any more, will never be tried again."""
    session.execute(
        text(
            "UPDATE letters l SET state = 'cancelled', settled_at = clock_timestamp()"
            " WHERE client_id = ANY(:ids) AND state = 'planned' AND NOT EXISTS ("
            "       SELECT FROM reminders r"
            "        WHERE r.letter_id = l.id AND r.state IN ('planned', 'claimed', 'sending'))"
        ),
        {"ids": list(client_ids)},
    )


def _rows_of_joining_steps(
    session: Session, answers: Sequence[Answer], *, terms: Terms, now: datetime
) -> dict[Any, int]:
    calendar = calendar_now(session, terms.calendar)
    missing = []
    for answer in answers:
        invoices = {invoice.id: invoice for invoice in answer.client.invoices}
        for decision in (one for letter in answer.plan.letters for one in letter.decisions):
            if decision.reminder_id is None:
                steps = timeline_of(answer.client, invoices[decision.invoice_id], calendar)
                due_at = next((item.due_at for item in steps if item.step.code == decision.step), now)
                key = (decision.invoice_id, decision.step, decision.schedule_version)
                missing.append((answer.client.id, *key, due_at))
    return insert_missing(session, missing)


def _with_rows(decisions: Sequence[Decision], new_rows: dict[Any, int]) -> list[Decision]:
    """Decisions with their rows; one whose occurrence turns out to exist already is left out of the letter."""
    found = []
    for decision in decisions:
        key = (decision.invoice_id, decision.step, decision.schedule_version)
        row = decision.reminder_id or new_rows.get(key)
        if row is not None:
            found.append(replace(decision, reminder_id=row))
    return found


def load_particulars(
    session: Session, drafts: Sequence[Draft], *, documents: InvoicePdfs
) -> dict[uuid.UUID, Particulars]:
    """What the drafts say beside their decisions, by letter id, in five statements."""
    texts = texts_in_force(session)
    invoices = sorted({decision.invoice_id for draft in drafts for decision in draft.decisions})
    contacts = sorted({draft.contact.id for draft in drafts})
    descriptions = _pairs(session, "SELECT id, description FROM invoices WHERE id = ANY(:ids)", invoices)
    tokens = _pairs(session, "SELECT id, token FROM contacts WHERE id = ANY(:ids)", contacts)
    pdfs = _documents(session, invoices, documents)
    threads: dict[int, list[str]] = defaultdict(list)
    for contact_id, earlier in session.execute(text(_THREADS), {"ids": contacts, "most": THREAD}):
        threads[contact_id].append(earlier)
    return {
        draft.letter_id: Particulars(
            descriptions={one.invoice_id: descriptions.get(one.invoice_id) for one in draft.decisions},
            unsubscribe_token=tokens[draft.contact.id],
            references=tuple(threads.get(draft.contact.id, ())),
            documents={one.invoice_id: pdfs[one.invoice_id] for one in draft.decisions if one.invoice_id in pdfs},
            texts=texts,
        )
        for draft in drafts
    }


def _documents(session: Session, invoice_ids: Sequence[int], wanted: InvoicePdfs) -> dict[int, Document]:
    if wanted == "none":
        return {}
    content = "content" if wanted == "attach" else "NULL::bytea AS content"
    query = f"SELECT invoice_id, token, name, {content} FROM invoice_documents WHERE invoice_id = ANY(:ids)"  # noqa: S608  # one of two texts of ours
    return {
        row.invoice_id: Document(
            row.token, Attachment(row.name, "application/pdf", row.content) if row.content is not None else None
        )
        for row in session.execute(text(query), {"ids": list(invoice_ids)})
    }


def _pairs(session: Session, query: str, ids: Sequence[int]) -> dict[int, Any]:
    return {row[0]: row[1] for row in session.execute(text(query), {"ids": list(ids)})}


_THREADS = """
SELECT contact_id, message_id FROM unnest(CAST(:ids AS bigint[])) AS reader (id), LATERAL (
       SELECT contact_id, message_id, sending_at FROM letters
        WHERE contact_id = reader.id AND state IN ('accepted', 'delivered', 'bounced', 'complained')
        ORDER BY sending_at DESC LIMIT :most) AS thread
 ORDER BY contact_id, sending_at
"""
