"""A person whose name and address stand in every column that may hold personal data."""

from typing import Any

from sqlalchemy import LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from nudgepay.privacy.columns import MAP
from nudgepay.privacy.people import Person, person_of_client
from nudgepay.schema_lifecycle.metadata import METADATA

NAME = "Zacharias Canarybird"
ADDRESS = "zacharias@canarybird.example"
TRACE = f"{NAME} <{ADDRESS}>"


def a_client(session: Session) -> int:
    """One with letters, money and something open."""
    query = (
        "SELECT c.id FROM clients c JOIN money_facts f ON f.client_id = c.id JOIN letters l ON l.client_id = c.id"
        " GROUP BY c.id ORDER BY count(*) DESC, c.id LIMIT 1"
    )
    found: int = session.scalar(text(query))
    return found


def leave_traces(session: Session, client_id: int) -> Person:
    """Put the person's name and address wherever the map says that something personal may be."""
    session.execute(text(_MORE), {"client": client_id, "address": ADDRESS})
    person = person_of_client(session, client_id)
    first = person.contacts[0]
    session.execute(
        text("UPDATE contacts SET name = :name, email = :address WHERE id = :id"),
        {"name": NAME, "address": ADDRESS, "id": first},
    )
    session.execute(
        text("UPDATE clients SET name = :name, external_id = :name WHERE id = :id"), {"name": NAME, "id": client_id}
    )
    person = person_of_client(session, client_id)
    for name, table in MAP.items():
        if name in {"clients", "contacts", "operators", "suppressions"} or table.rows is None or table.is_deleted:
            continue
        for column in {**table.handled_as("erased"), **table.handled_as("kept")}:
            if column not in {"dedup_key", "details"}:
                _fill(session, name, column, table.rows, person)
    return person_of_client(session, client_id)


def _fill(session: Session, table: str, column: str, rows: str, person: Person) -> None:
    kind: Any = METADATA.tables[table].columns[column].type
    value = "convert_to(CAST(:trace AS text), 'UTF8')" if isinstance(kind, LargeBinary) else "CAST(:trace AS text)"
    if isinstance(kind, JSONB):
        value = "jsonb_build_object('changes', jsonb_build_array(CAST(:trace AS text)))"
    session.execute(text(f"UPDATE {table} SET {column} = {value} WHERE {rows}"), person.values(trace=TRACE))


_MORE = """
WITH one AS (SELECT id FROM invoices WHERE client_id = :client ORDER BY id LIMIT 1),
     fact AS (SELECT id, amount, currency FROM money_facts WHERE client_id = :client ORDER BY id LIMIT 1),
     a AS (INSERT INTO disputes (invoice_id, message, source, opened_at, resolved_at, resolution)
           SELECT id, 'Broken', 'page', now(), now(), 'Called' FROM one),
     b AS (INSERT INTO reviews (invoice_id, reason, dedup_key, resolution) SELECT id, 'x', 'canary', 'Called' FROM one),
     c AS (INSERT INTO suppressions (address, reason, source) VALUES (:address, 'unsubscribed', 'page')),
     d AS (INSERT INTO stripe_events (event_id, type, payload, handled_at) VALUES ('evt_c', 'x', :address, now())),
     e AS (INSERT INTO import_uploads (name, digest, size, created_by, state, report)
           VALUES ('a.csv', 'd', 1, 'test', 'done', jsonb_build_object('errors', jsonb_build_array(CAST(:address AS text))))),
     f AS (INSERT INTO invoice_documents (invoice_id, token, name, content, sha256, created_by)
           SELECT id, 'canary', 'a.pdf', '\\x00', 'x', 'test' FROM one ON CONFLICT DO NOTHING),
     g AS (INSERT INTO checkout_sessions (page, client_id, lines, amount, currency, idempotency_key)
           VALUES ('invoice:1', :client, '[]', 1, 'EUR', 'canary')),
     h AS (INSERT INTO bank_statements (digest, account, format, imported_at, imported_by)
           VALUES ('canary', 'DE1', 'camt', now(), 'test') RETURNING id)
INSERT INTO bank_lines (statement_id, dedup_key, kind, booked_on, amount, currency, counterparty, purpose, reference,
                        state, fact_id, decided_at)
SELECT h.id, 'canary', 'credit', '2026-11-02', fact.amount, fact.currency, 'x', 'x', 'x', 'confirmed', fact.id, now()
  FROM h, fact
"""
