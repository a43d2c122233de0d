"""Clients as a form finds them, and what the last invoice suggests for the next one."""

import re
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from nudgepay.invoices.models import Invoice

MOST = 12
MOST_WORDS = 6
_WORD = re.compile(r"[^\W_]+")
_CLIENTS = """
SELECT id, name, external_id, country FROM clients
 WHERE to_tsvector('simple'::regconfig, regexp_replace(lower(name), '[^[:alnum:]]+'::text, ' '::text, 'g'::text))
       @@ to_tsquery('simple', :words)
 ORDER BY lower(name), id LIMIT :most
"""
_NEWEST = "SELECT id, name, external_id, country FROM clients ORDER BY id DESC LIMIT :most"


def find_clients(session: Session, q: str) -> list[Row[Any]]:
    """Clients whose names have words that begin so; without a word the newest ones."""
    words = _WORD.findall(q.lower())[:MOST_WORDS]
    if not words:
        return [] if q.strip() else list(session.execute(text(_NEWEST), {"most": MOST}))
    asked = " & ".join(f"'{word}':*" for word in words)
    return list(session.execute(text(_CLIENTS), {"words": asked, "most": MOST}))


def last_invoice(session: Session, client_id: int | None = None) -> Invoice | None:
    """The newest invoice, of a client or of all."""
    query = select(Invoice).order_by(Invoice.id.desc()).limit(1)
    if client_id is not None:
        query = query.where(Invoice.client_id == client_id)
    return session.scalar(query)
