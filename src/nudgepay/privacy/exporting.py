"""Everything that is here of one person and of nobody else, for machines to read (GDPR 15 and 20)."""

import base64
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.privacy.columns import MAP
from nudgepay.privacy.judging import Table
from nudgepay.privacy.people import Person

FORMAT = "nudgepay-person-1"
SALTS = frozenset({"origin_salt", "origin_commitment"})


def export_person(session: Session, person: Person, *, now: datetime, actor: str) -> dict[str, Any]:
    """One document: the person's rows by table, letters as they went out, without keys and secrets. Audited."""
    tables = {name: _rows(session, table, person) for name, table in MAP.items() if table.rows}
    counts = {name: len(rows) for name, rows in tables.items() if rows}
    audit.record(session, actor=actor, action="privacy.export", subject=subject_of(person), after=counts)
    return {
        "format": FORMAT,
        "made_at": now.isoformat(),
        "addresses": list(person.addresses),
        "data": {name: rows for name, rows in tables.items() if rows},
    }


def subject_of(person: Person) -> str:
    """The person as a subject of the audit log: ids, no name."""
    for table, ids in (("clients", person.clients), ("contacts", person.contacts), ("operators", person.operators)):
        if ids:
            return f"{table}:{ids[0]}"
    return "table:suppressions"


def _rows(session: Session, table: Table, person: Person) -> list[dict[str, Any]]:
    names = [name for name, column in table.columns.items() if column.handling != "secret" and name not in SALTS]
    listed = ", ".join(f'"{name}"' for name in names)
    query = f"SELECT {listed} FROM {table.name} WHERE {table.rows} ORDER BY 1"  # noqa: S608  # names of the map
    return [
        {key: _plain(value) for key, value in row.items()}
        for row in session.execute(text(query), person.values()).mappings()
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return _text_of(bytes(value))
    if isinstance(value, list | dict | bool | int | None):
        return value
    return int(value) if isinstance(value, Decimal) else str(value)


def _text_of(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "data:;base64," + base64.b64encode(content).decode()
