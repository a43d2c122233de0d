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
from nudgepay.nudges.history import gather_all
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
_SCHEDULES = (
    "SELECT s.name, s.version, s.created_at, s.created_by, t.position, t.code, t.anchor, t.offset_days,"
    " t.business_days, t.template, t.tone FROM schedules s JOIN schedule_steps t ON t.schedule_id = s.id"
    " WHERE s.id IN (SELECT x.id FROM schedules x JOIN reminders r ON r.schedule_version = x.version"
    "                 WHERE r.invoice_id = :id) ORDER BY s.name, s.version, t.position"
)
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
    sections = gather_all(session, invoice.id, invoice.client_id)
    sections["schedules"] = [dict(row) for row in session.execute(text(_SCHEDULES), given).mappings()]
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
