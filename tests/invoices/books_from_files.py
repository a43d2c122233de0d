"""Files for the import, and what they came to on the books."""

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.payments.importing import ImportReport, run_import
from nudges.builders import at

NOW: datetime = at("2026-03-13T09:00")
EXPORTS = Path(__file__).parent / "exports"
COLUMNS = [
    "client_name",
    "client_email",
    "invoice_number",
    "issued_on",
    "due_on",
    "currency",
    "amount",
    "amount_paid",
]


def defaults(**changes: Any) -> Defaults:
    return Defaults(**({"locale": "en", "timezone": "Europe/Berlin", "country": "DE"} | changes))


def take(db: Database, raw: bytes | Path, *, said: dict[str, Any] | None = None, **options: Any) -> ImportReport:
    return run_import(db, raw, defaults=defaults(**(said or {})), now=NOW, actor="test", **options)


def workbook(*rows: Sequence[Any], title: str = "Invoices") -> bytes:
    """A workbook with one sheet of these rows."""
    book = Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    return saved(book)


def saved(book: Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def invoices(db: Database) -> dict[str, dict[str, Any]]:
    """Every invoice by number."""
    query = "SELECT i.*, c.name AS client FROM invoices i JOIN clients c ON c.id = i.client_id ORDER BY i.id"
    with db.transaction() as session:
        return {row["number"]: dict(row) for row in session.execute(text(query)).mappings()}


def count(db: Database, table: str) -> int:
    with db.transaction() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
