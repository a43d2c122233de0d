"""One file that proves what was sent, decided and paid for an invoice: rows, a page to read, the letters."""

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import __version__
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.money import format_money
from nudgepay.readiness.evidence_story import tell_story

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Entries carry no time of their own, so that the same rows give the same bytes."""

_INVOICE = """
SELECT i.number, i.currency, i.amount_due, i.amount_paid, i.amount_remaining, i.status, i.money_state, i.issued_on,
       i.due_on, i.created_at, i.closed_at, i.version, i.description,
       c.name AS client, c.country, c.timezone, c.locale
  FROM invoices i JOIN clients c ON c.id = i.client_id WHERE i.id = :id
"""
_SECTIONS = {
    "contacts": (
        "SELECT id, name, email, role, wrong_person_at, created_at FROM contacts"
        " WHERE client_id = :client ORDER BY id"
    ),
    "money_facts": (
        "SELECT f.id, f.provider, f.provider_id, f.kind, f.amount, f.currency, f.occurred_at, f.recorded_at,"
        " f.voided_at, f.problem, f.actor, a.amount AS allocated FROM money_facts f"
        " JOIN allocations a ON a.fact_id = f.id WHERE a.invoice_id = :id ORDER BY f.occurred_at, f.id"
    ),
    "reminders": (
        "SELECT id, step, schedule_version, state, reason, held_reason, held_until, due_at, attempts, letter_id,"
        " gap_overridden_by, reviewed_by, error, created_at, updated_at FROM reminders"
        " WHERE invoice_id = :id ORDER BY due_at, id"
    ),
    "letters": (
        "SELECT DISTINCT l.id, l.message_id, l.n, l.to_address, l.subject, l.template, l.language,"
        " l.text_version, l.currency, l.amount, l.state,"
        " l.looked_at, l.sending_at, l.accepted_at, l.settled_at, l.reply, l.run_id"
        " FROM letters l JOIN reminders r ON r.letter_id = l.id WHERE r.invoice_id = :id ORDER BY l.sending_at, l.id"
    ),
    "texts": (
        "SELECT v.template, v.language, v.version, v.subject, v.body, v.restored_from, v.created_at, v.created_by"
        " FROM letter_text_versions v WHERE (v.template, v.language, v.version) IN ("
        "  SELECT l.template, l.language, l.text_version FROM letters l JOIN reminders r ON r.letter_id = l.id"
        "   WHERE r.invoice_id = :id) ORDER BY v.template, v.language, v.version"
    ),
    "messages": (
        "SELECT id, kind, message_id, to_address, subject, state, reason, sending_at, accepted_at, reply"
        " FROM mailings"
        " WHERE client_id = :client AND kind = 'thanks' AND details -> 'invoice_ids' @> to_jsonb(CAST(:id AS bigint))"
        " ORDER BY created_at"
    ),
    "promises": (
        "SELECT promised_on, amount, grace_days, state, source, made_at, settled_at FROM promises"
        " WHERE invoice_id = :id ORDER BY id"
    ),
    "disputes": (
        "SELECT amount, message, source, opened_at, resolved_at, resolved_by, resolution FROM disputes"
        " WHERE invoice_id = :id ORDER BY id"
    ),
    "payment_claims": (
        "SELECT claimed_at, until, source, settled_at FROM payment_claims WHERE invoice_id = :id ORDER BY id"
    ),
    "reviews": (
        "SELECT reason, details, opened_at, resolved_at, resolved_by, resolution FROM reviews"
        " WHERE invoice_id = :id ORDER BY id"
    ),
    "suppressions": (
        "SELECT s.address, s.reason, s.source, s.created_at, s.lifted_at, s.lifted_by FROM suppressions s"
        " WHERE s.address IN (SELECT lower(email) FROM contacts WHERE client_id = :client) ORDER BY s.id"
    ),
    "schedules": (
        "SELECT s.name, s.version, s.created_at, s.created_by, t.position, t.code, t.anchor, t.offset_days,"
        " t.business_days, t.template, t.tone FROM schedules s JOIN schedule_steps t ON t.schedule_id = s.id"
        " WHERE s.id IN (SELECT x.id FROM schedules x JOIN reminders r ON r.schedule_version = x.version"
        "                 WHERE r.invoice_id = :id) ORDER BY s.name, s.version, t.position"
    ),
    "audit": (
        "SELECT id, at, actor, action, subject, origin, before, after FROM audit_events WHERE subject IN ("
        "  SELECT 'invoices:' || CAST(:id AS text) UNION ALL"
        "  SELECT 'clients:' || CAST(:client AS text) UNION ALL"
        "  SELECT 'letters:' || letter_id FROM reminders WHERE invoice_id = :id AND letter_id IS NOT NULL UNION ALL"
        "  SELECT 'money_facts:' || fact_id FROM allocations WHERE invoice_id = :id) ORDER BY id"
    ),
}
_MIMES = """
SELECT DISTINCT l.id, l.message_id, l.sending_at, l.mime FROM letters l JOIN reminders r ON r.letter_id = l.id
 WHERE r.invoice_id = :id ORDER BY l.sending_at, l.id
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The document (plain data, amounts in minor units, times in UTC) and the files that belong to it, by name."""

    document: dict[str, Any]
    files: dict[str, bytes]


def gather_evidence(session: Session, number: str, *, now: datetime) -> Evidence:
    """Everything about one invoice as it stands in this transaction; raises NotFound."""
    invoice = invoice_by_number(session, number)
    given = {"id": invoice.id, "client": invoice.client_id}
    head = dict(session.execute(text(_INVOICE), given).mappings().one())
    sections = {
        name: [dict(row) for row in session.execute(text(query), given).mappings()]
        for name, query in _SECTIONS.items()
    }
    files = {
        f"letters/{row.message_id.strip('<>').partition('@')[0]}.eml": bytes(row.mime)
        for row in session.execute(text(_MIMES), given)
    }
    pdf = session.scalar(text("SELECT content FROM invoice_documents WHERE invoice_id = :id"), given)
    if pdf is not None:
        files["invoice.pdf"] = bytes(pdf)
    document = {
        "format": "nudgepay-evidence/1",
        "made_at": now,
        "made_by": f"nudgepay {__version__}",
        "database": session.scalar(text("SELECT system_identifier::text FROM pg_control_system()")),
        "invoice": head,
        **sections,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(document, default=_plain))
    return Evidence(plain, files)


def pack_evidence(evidence: Evidence) -> bytes:
    """One ZIP: evidence.json, evidence.html, the letters as they left, and the digest of each. Same in, same out."""
    page = _TEMPLATES.get_template("evidence.html").render(**_page(evidence))
    written = json.dumps(evidence.document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    entries = {"evidence.json": written.encode(), "evidence.html": page.encode(), **evidence.files}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(entries.items()))
    entries["SHA256SUMS"] = sums.encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def file_name(number: str) -> str:
    """A name for the file: evidence-NUMBER.zip, safe on every system."""
    return f"evidence-{re.sub(r'[^A-Za-z0-9._-]+', '-', number).strip('-.') or 'invoice'}.zip"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _page(evidence: Evidence) -> dict[str, Any]:
    document = evidence.document
    invoice = document["invoice"]

    def money(minor: int) -> str:
        return format_money(minor, invoice["currency"], "en")

    return {"doc": document, "invoice": invoice, "money": money, "story": tell_story(document, money)}
