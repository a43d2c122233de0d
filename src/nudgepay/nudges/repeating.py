"""Doubt ended by saying the same again, where the provider keeps the first of two messages with one idempotency key.

The very bytes of the letter in doubt are handed over once more, and only while they are still true: the engine is
asked whether it would write this letter now. What was paid, stopped or changed meanwhile stays in doubt for a person.
"""

import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import clock
from nudgepay.db import Database
from nudgepay.gateways.mail import Envelope, MailTransport, ensure_address
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.composing import claimed_by, contact_of
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.handing import Crew, hand_over
from nudgepay.nudges.looking import Line, Outgoing
from nudgepay.nudges.plan import plan
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.report import SendingReport
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.unknowns import settle_doubt

ACTOR = "job:repeat"
KEY_HOURS = 23
"""Providers remember a key for a day; an hour of it is left alone."""
MOST = 200

_DOUBTFUL = """
SELECT id, client_id FROM letters
 WHERE state = 'unknown' AND looked_at > clock_timestamp() - make_interval(hours => :hours)
   AND coalesce(lease_until, looked_at) + make_interval(secs => :grace) < clock_timestamp()
 ORDER BY sending_at, id LIMIT :most
"""
_LETTER = """
SELECT id, client_id, contact_id, currency, amount, to_address, message_id, mime, run_id, state FROM letters
 WHERE id = :id FOR NO KEY UPDATE
"""
_LINES = """
SELECT r.id, i.number, r.step FROM reminders r JOIN invoices i ON i.id = r.invoice_id
 WHERE r.letter_id = :id AND r.state = 'unknown' ORDER BY i.due_on, i.id
"""
_OTHERS = "SELECT EXISTS (SELECT FROM letters WHERE client_id = :client AND state = 'unknown' AND id <> :id)"
_LEAVING = """
UPDATE letters SET state = 'sending', fence = fence + 1, looked_at = clock_timestamp(), settled_at = NULL,
       lease_until = clock_timestamp() + make_interval(secs => :lease)
 WHERE id = :id RETURNING fence
"""
_REMINDERS = """
UPDATE reminders SET state = 'sending', updated_at = now(),
       lease_until = clock_timestamp() + make_interval(secs => :lease)
 WHERE letter_id = :id AND state = 'unknown'
"""


def run_repeats(db: Database, *, transport: MailTransport, terms: Terms, now: datetime) -> Counter[str]:
    """Say again what is in doubt for less than a day; returns counts by outcome (`changed`: not said again)."""
    crew = Crew(db, transport, terms, now, SendingReport())
    given = {"hours": KEY_HOURS, "grace": terms.lease_seconds, "most": MOST}
    with db.transaction() as session:
        doubtful = session.execute(text(_DOUBTFUL), given).all()
    counts: Counter[str] = Counter()
    for letter in doubtful:
        if crew.not_ready is not None:
            break
        with db.transaction() as session:
            again = _take(session, letter.id, letter.client_id, terms=terms, now=now)
        counts[hand_over(again, crew) if again is not None else "changed"] += 1
    return counts


def _take(session: Session, letter_id: uuid.UUID, client_id: int, *, terms: Terms, now: datetime) -> Outgoing | None:
    """The letter on its way once more; None when it is not in doubt any more, or would not be written so now."""
    lock_client(session, client_id)
    looked = clock.monotonic()
    letter = session.execute(text(_LETTER), {"id": letter_id}).one()
    lines = [Line(*row) for row in session.execute(text(_LINES), {"id": letter_id})]
    if letter.state != "unknown" or not lines:
        return None
    if session.scalar(text(_OTHERS), {"id": letter_id, "client": client_id}):
        return None
    if not _is_still_true(session, letter, {line.reminder_id for line in lines}, terms=terms, now=now):
        return None
    fence = session.scalars(text(_LEAVING), {"id": letter_id, "lease": terms.lease_seconds}).one()
    session.execute(text(_REMINDERS), {"id": letter_id, "lease": terms.lease_seconds})
    settle_doubt(session, letter_id, actor=ACTOR)
    sender = ensure_address(terms.business.from_email)
    return Outgoing(
        letter_id=letter_id,
        fence=fence,
        client_id=client_id,
        contact_id=letter.contact_id,
        envelope=Envelope(letter.message_id, sender, letter.to_address, bytes(letter.mime)),
        lines=tuple(lines),
        looked=looked,
        lease_ends=looked + terms.lease_seconds,
    )


def _is_still_true(
    session: Session, letter: Row[Any], reminder_ids: set[int], *, terms: Terms, now: datetime
) -> bool:
    """True when the engine would write to this person about these reminders over this amount now."""
    found = load_clients(session, [letter.client_id], now=now, run_id=letter.run_id, but_letter=letter.id)
    client = _as_if_never_tried(found[letter.client_id], reminder_ids)
    rules = rules_now(session, terms.rules)
    answer = plan(client, rules=rules, calendar=calendar_now(session, terms.calendar), now=now)
    return any(
        again.currency == letter.currency
        and contact_of(client, again).email == letter.to_address
        and {decision.reminder_id for decision in again.decisions} == reminder_ids
        and claimed_by(again.decisions) == letter.amount
        for again in answer.letters
    )


def _as_if_never_tried(client: ClientFacts, reminder_ids: set[int]) -> ClientFacts:
    invoices = tuple(
        replace(
            invoice,
            reminders=tuple(
                replace(row, state="planned") if row.id in reminder_ids else row for row in invoice.reminders
            ),
        )
        for invoice in client.invoices
    )
    return replace(client, invoices=invoices, letter_unknown=False)
