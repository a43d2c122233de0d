"""Everything that is on record about one invoice, section by section: for its page, and for the file that proves it.

Each section asks by the invoice or by its client, never for all that is stored.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Section:
    """A query over `:id` (the invoice) and `:client`, and the columns that put its rows in order of time."""

    query: str
    by: tuple[str, ...]


SECTIONS: dict[str, Section] = {
    "contacts": Section(
        "SELECT id, name, email, role, wrong_person_at, created_at FROM contacts WHERE client_id = :client", ("id",)
    ),
    "money_facts": Section(
        "SELECT f.id, f.provider, f.provider_id, f.kind, f.amount, f.currency, f.occurred_at, f.recorded_at,"
        " f.voided_at, f.problem, f.note, f.reverses, f.actor, coalesce(a.amount, 0) AS allocated FROM money_facts f"
        " LEFT JOIN allocations a ON a.fact_id = f.id AND a.invoice_id = :id WHERE f.client_id = :client"
        "  AND (a.fact_id IS NOT NULL"
        "   OR f.targets @> jsonb_build_array(jsonb_build_object('invoice_id', CAST(:id AS bigint))))",
        ("occurred_at", "id"),
    ),
    "checkouts": Section(
        "SELECT id, amount, currency, created_at, expires_at, completed_unpaid_at, succeeded_at, failed_at,"
        " expired_at FROM checkout_sessions WHERE client_id = :client"
        "  AND lines @> jsonb_build_array(jsonb_build_object('invoice_id', CAST(:id AS bigint)))",
        ("created_at", "id"),
    ),
    "reminders": Section(
        "SELECT id, step, schedule_version, state, reason, held_reason, held_until, due_at, attempts, letter_id,"
        " nudge_key, gap_overridden_by, reviewed_at, reviewed_by, error, created_at, updated_at FROM reminders"
        " WHERE client_id = :client AND invoice_id = :id",
        ("due_at", "id"),
    ),
    "letters": Section(
        "SELECT l.id, l.message_id, l.n, l.to_address, l.subject, l.template, l.language, l.text_version, l.currency,"
        " l.amount, l.state, l.looked_at, l.sending_at, l.accepted_at, l.settled_at, l.reply, l.run_id FROM letters l"
        " WHERE l.client_id = :client"
        "  AND l.id IN (SELECT letter_id FROM reminders WHERE client_id = :client AND invoice_id = :id)",
        ("sending_at", "id"),
    ),
    "texts": Section(
        "SELECT v.template, v.language, v.version, v.subject, v.body, v.restored_from, v.created_at, v.created_by"
        " FROM letter_text_versions v WHERE (v.template, v.language, v.version) IN ("
        "  SELECT l.template, l.language, l.text_version FROM letters l WHERE l.client_id = :client"
        "   AND l.id IN (SELECT letter_id FROM reminders WHERE client_id = :client AND invoice_id = :id))",
        ("template", "language", "version"),
    ),
    "messages": Section(
        "SELECT id, kind, message_id, to_address, subject, state, reason, created_at, sending_at, accepted_at, reply"
        " FROM mailings WHERE client_id = :client AND kind = 'thanks'"
        "  AND details -> 'invoice_ids' @> to_jsonb(CAST(:id AS bigint))",
        ("created_at", "id"),
    ),
    "promises": Section(
        "SELECT id, promised_on, amount, grace_days, state, source, made_at, settled_at FROM promises"
        " WHERE invoice_id = :id",
        ("made_at", "id"),
    ),
    "disputes": Section(
        "SELECT id, amount, message, source, opened_at, resolved_at, resolved_by, resolution FROM disputes"
        " WHERE invoice_id = :id",
        ("opened_at", "id"),
    ),
    "payment_claims": Section(
        "SELECT id, claimed_at, until, source, settled_at FROM payment_claims WHERE invoice_id = :id",
        ("claimed_at", "id"),
    ),
    "reviews": Section(
        "SELECT id, reason, details, opened_at, resolved_at, resolved_by, resolution FROM reviews"
        " WHERE invoice_id = :id",
        ("opened_at", "id"),
    ),
    "suppressions": Section(
        "SELECT s.id, s.address, s.reason, s.source, s.created_at, s.lifted_at, s.lifted_by FROM suppressions s"
        " WHERE s.address IN (SELECT lower(email) FROM contacts WHERE client_id = :client)",
        ("created_at", "id"),
    ),
    "audit": Section(
        "SELECT id, at, actor, action, subject, origin, before, after FROM audit_events WHERE subject IN ("
        " SELECT 'invoices:' || CAST(:id AS text) UNION ALL"
        " SELECT 'clients:' || CAST(:client AS text) UNION ALL"
        " SELECT 'contacts:' || id FROM contacts WHERE client_id = :client UNION ALL"
        " SELECT 'letters:' || letter_id FROM reminders"
        "  WHERE client_id = :client AND invoice_id = :id AND letter_id IS NOT NULL UNION ALL"
        " SELECT 'reminders:' || id FROM reminders WHERE client_id = :client AND invoice_id = :id UNION ALL"
        " SELECT 'promises:' || id FROM promises WHERE invoice_id = :id UNION ALL"
        " SELECT 'disputes:' || id FROM disputes WHERE invoice_id = :id UNION ALL"
        " SELECT 'reviews:' || id FROM reviews WHERE invoice_id = :id UNION ALL"
        " SELECT 'money_facts:' || f.id FROM money_facts f LEFT JOIN allocations a"
        "  ON a.fact_id = f.id AND a.invoice_id = :id WHERE f.client_id = :client AND (a.fact_id IS NOT NULL"
        "   OR f.targets @> jsonb_build_array(jsonb_build_object('invoice_id', CAST(:id AS bigint)))))",
        ("id",),
    ),
}
STATEMENTS = Section(
    "SELECT id, kind, message_id, to_address, subject, state, reason, created_at, sending_at, accepted_at, reply"
    " FROM mailings WHERE client_id = :client AND kind = 'statement' AND created_at >="
    "  (SELECT created_at FROM invoices WHERE id = :id)",
    ("created_at", "id"),
)
"""Statements of account that the client got since the invoice is in the books; they list every open invoice."""


def gather(
    session: Session, name: str, invoice_id: int, client_id: int, *, newest: int | None = None
) -> list[dict[str, Any]]:
    """The rows of a section (or of `statements`), the earliest first; of many only the `newest`."""
    section = STATEMENTS if name == "statements" else SECTIONS[name]
    upwards, downwards = ", ".join(section.by), ", ".join(f"{column} DESC" for column in section.by)
    query = f"SELECT * FROM ({section.query}) AS found ORDER BY {upwards}"  # noqa: S608  # texts of ours
    if newest is not None:
        query = f"SELECT * FROM (SELECT * FROM ({section.query}) AS found ORDER BY {downwards} LIMIT {int(newest)}) AS newest ORDER BY {upwards}"  # noqa: S608, E501  # texts of ours and a number
    given = {"id": invoice_id, "client": client_id}
    return [dict(row) for row in session.execute(text(query), given).mappings()]


def gather_all(
    session: Session,
    invoice_id: int,
    client_id: int,
    *,
    sections: Collection[str] = tuple(SECTIONS),
    newest: int | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Several sections by name."""
    return {name: gather(session, name, invoice_id, client_id, newest=newest) for name in sections}


def invoices_of_letters(
    session: Session, letter_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[tuple[int, str]]]:
    """Which invoices each letter reminds of, as (id, number), oldest first."""
    query = text(
        "SELECT DISTINCT r.letter_id, i.id, i.number, i.due_on FROM reminders r"
        " JOIN invoices i ON i.id = r.invoice_id WHERE r.letter_id = ANY(:ids) ORDER BY i.due_on, i.id"
    )
    found: dict[uuid.UUID, list[tuple[int, str]]] = {}
    for row in session.execute(query, {"ids": list(letter_ids)}):
        found.setdefault(row.letter_id, []).append((row.id, row.number))
    return found
