"""What needs a person: the open notices, oldest first, with the names of what they are about."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.ledger import Notice


@dataclass(frozen=True, slots=True)
class Task:
    """One open notice. `invoices` and `clients` are (id, name); `details` is what the notice's writer told."""

    id: int
    kind: str
    since: datetime
    invoices: tuple[tuple[int, str], ...]
    clients: tuple[tuple[int, str], ...]
    letter_id: uuid.UUID | None
    details: dict[str, Any]


_OPEN = """
SELECT id, kind, created_at, details FROM notices
 WHERE resolved_at IS NULL AND kind = ANY(:kinds)
   AND (created_at, id) > (CAST(:after AS timestamptz), CAST(:after_id AS bigint))
 ORDER BY created_at, id LIMIT :limit
"""
_INVOICES = """
SELECT i.id, i.number, i.client_id, c.name FROM invoices i JOIN clients c ON c.id = i.client_id WHERE i.id = ANY(:ids)
"""
_CLIENTS = "SELECT id, name FROM clients WHERE id = ANY(:ids)"


def list_tasks(session: Session, *, kinds: Iterable[str], after: tuple[datetime, int], limit: int) -> list[Task]:
    """Open notices of these kinds behind the one at `after`."""
    given = {"kinds": list(kinds), "after": after[0], "after_id": after[1], "limit": limit}
    rows = session.execute(text(_OPEN), given).all()
    named = [
        (_ids(row.details, "invoice_id", "invoice_ids"), _ids(row.details, "client_id", "client_ids")) for row in rows
    ]
    invoices = {
        row.id: row for row in session.execute(text(_INVOICES), {"ids": [one for ids, _ in named for one in ids]})
    }
    clients = {
        row.id: row.name for row in session.execute(text(_CLIENTS), {"ids": [one for _, ids in named for one in ids]})
    }
    clients |= {row.client_id: row.name for row in invoices.values()}
    tasks = []
    for row, (invoice_ids, client_ids) in zip(rows, named, strict=True):
        known = [invoices[one] for one in invoice_ids if one in invoices]
        whose = dict.fromkeys([*client_ids, *(one.client_id for one in known)])
        tasks.append(
            Task(
                row.id,
                row.kind,
                row.created_at,
                tuple((one.id, one.number) for one in known),
                tuple((one, clients[one]) for one in whose if one in clients),
                _letter(row.details),
                row.details,
            )
        )
    return tasks


def _ids(details: dict[str, Any], one: str, many: str) -> list[int]:
    found = details.get(many) or [details.get(one)]
    return [value for value in found if isinstance(value, int)]


def _letter(details: dict[str, Any]) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(details.get("letter_id")))
    except ValueError:
        return None


def open_task(session: Session, task_id: int) -> Notice | None:
    """The notice, if it is open."""
    found = session.get(Notice, task_id)
    return found if found is not None and found.resolved_at is None else None
