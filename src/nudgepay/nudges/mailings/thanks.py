"""Thank-you letters: one for each invoice that was asked for and is paid now, never for what was only imported."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.invoices.queries import invoices_of_page, lock_client
from nudgepay.nudges.mailings.composing import Composed, NotAnyMore, compose
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.queue import enqueue
from nudgepay.nudges.mailings.readers import reader_at_client
from nudgepay.nudges.mailings.rendering import Voice
from nudgepay.nudges.terms import Terms

FRESH = timedelta(days=3)
"""Thanks for what was paid longer ago would only puzzle: after an outage they are left out."""
MOST_CLIENTS = 1_000

_PAID = """
SELECT i.client_id FROM invoices i
 WHERE i.status = 'paid' AND i.closed_at > :since AND i.closed_at <= :now AND {unthanked}
   AND EXISTS (SELECT FROM reminders r WHERE r.invoice_id = i.id AND r.state IN ('accepted', 'delivered'))
 GROUP BY i.client_id ORDER BY i.client_id LIMIT :most
"""
_UNTHANKED = """NOT EXISTS (SELECT FROM mailings m WHERE m.client_id = i.client_id AND m.kind = 'thanks'
                         AND m.details -> 'invoice_ids' @> to_jsonb(i.id))"""
_OF_CLIENT = """
SELECT DISTINCT ON (i.id) i.id, k.id AS contact_id, k.email FROM invoices i
  JOIN reminders r ON r.invoice_id = i.id AND r.state IN ('accepted', 'delivered')
  JOIN letters l ON l.id = r.letter_id JOIN contacts k ON k.id = l.contact_id
 WHERE i.client_id = :client AND i.status = 'paid' AND i.closed_at > :since AND i.closed_at <= :now AND {unthanked}
 ORDER BY i.id, l.sending_at DESC
"""


def clients_to_thank(session: Session, *, now: datetime, most: int = MOST_CLIENTS) -> list[int]:
    """Clients with an invoice that we wrote about, paid within three days, not thanked for yet."""
    query = text(_PAID.format(unthanked=_UNTHANKED))
    return list(session.scalars(query, {"since": now - FRESH, "now": now, "most": most}))


def plan_thanks(db: Database, *, terms: Terms, now: datetime) -> int:
    """Wish for the thank-you letters that are owed, one for each client and reader; returns how many."""
    with db.transaction() as session:
        clients = clients_to_thank(session, now=now)
    made = 0
    for client_id in clients:
        with db.transaction() as session:
            lock_client(session, client_id)
            query = text(_OF_CLIENT.format(unthanked=_UNTHANKED))
            paid = session.execute(query, {"client": client_id, "since": now - FRESH, "now": now}).all()
            made += _wish(session, client_id, paid, terms=terms, now=now)
    return made


def _wish(session: Session, client_id: int, paid: Sequence[Row[Any]], *, terms: Terms, now: datetime) -> int:
    by_reader: dict[tuple[int, str], list[int]] = {}
    for row in paid:
        by_reader.setdefault((row.contact_id, row.email), []).append(row.id)
    wishes = [
        enqueue(
            session,
            kind="thanks",
            dedup_key=f"thanks:{min(invoice_ids)}",
            to_address=email,
            from_email=terms.business.from_email,
            look_at=now,
            client_id=client_id,
            contact_id=contact_id,
            details={"invoice_ids": invoice_ids},
        )
        for (contact_id, email), invoice_ids in by_reader.items()
    ]
    return sum(wish is not None for wish in wishes)


def compose_thanks(session: Session, mailing: Mailing, *, terms: Terms, now: datetime) -> Composed:
    """Thank for the invoices that are still paid; raises NotAnyMore when none is (a refund came)."""
    reader = reader_at_client(session, mailing, terms=terms, now=now)
    invoices = [one for one in invoices_of_page(session, mailing.details["invoice_ids"]) if one.status == "paid"]
    if not invoices:
        raise NotAnyMore("the invoices are open again")

    def subject(voice: Voice) -> str:
        return voice.count("thanks.subject", len(invoices), number=invoices[0].number)

    values = {"subject": subject, "invoices": invoices, "count": len(invoices)}
    return compose(mailing, reader, "thanks", values, terms=terms, now=now)
