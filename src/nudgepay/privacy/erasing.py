"""Erasing a person: one transaction, whole or not at all, and written to the ledger before it commits."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.audit import forget_origins_of
from nudgepay.db import Database
from nudgepay.errors import Conflict
from nudgepay.invoices.actions import wake
from nudgepay.privacy.columns import MAP
from nudgepay.privacy.erasure_ledger import ErasureLedger
from nudgepay.privacy.exporting import subject_of
from nudgepay.privacy.foreseeing import Preview, foresee_erasure
from nudgepay.privacy.judging import Table
from nudgepay.privacy.models import Erasure
from nudgepay.privacy.people import Person


class ErasureBlocked(Conflict):
    """Something must come to its end before. `obstacles` are codes."""

    def __init__(self, obstacles: tuple[str, ...]) -> None:
        """What stands in the way."""
        self.obstacles = obstacles
        super().__init__(f"nothing was erased: {'; '.join(CURES[one] for one in obstacles)}")


class OpenInvoices(Conflict):
    """Somebody must say that open invoices shall be asked for by nobody."""

    def __init__(self, count: int) -> None:
        """How many there are."""
        self.count = count
        super().__init__(
            f"nothing was erased: {count} open invoices would be asked for by nobody. Add another contact, close"
            " them, or say that this is meant (--silence-open-invoices)"
        )


CURES = {
    "letter_on_its_way": "a letter is being sent at this moment: try again in a minute",
    "letter_in_doubt": "a letter is in doubt: decide it first (nudgepay unknown list)",
    "operator_active": "this operator may still sign in: disable the account first",
    "event_waiting": "an event of Stripe waits to be applied: try again in a minute",
    "file_waiting": "an uploaded file waits and may name this person: import or discard it first",
}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done. `erasure` is None when there was nothing left to erase."""

    erasure: str | None
    counts: Mapping[str, int]
    preview: Preview
    messages: tuple[str, ...] = ()


def erase_person(
    db: Database,
    ledger: ErasureLedger,
    who: Callable[[Session], Person],
    *,
    years: int,
    silence: bool,
    now: datetime,
    actor: str,
) -> Erased:
    """Erase whoever `who` finds; `silence`: open invoices may be left without anybody to ask.

    Raises ErasureBlocked, OpenInvoices, NotFound, LedgerUnwritable. Repeating it does nothing.
    """
    erasure = str(uuid.uuid4())
    with db.transaction() as session:
        person = locked(session, who)
        preview = foresee_erasure(session, person, years=years)
        if preview.is_done:
            return Erased(None, {}, preview)
        if preview.obstacles:
            raise ErasureBlocked(preview.obstacles)
        if preview.silenced and not silence:
            raise OpenInvoices(preview.silenced)
        line = ledger_line(session, person, now=now)
        messages = _messages_of(session, person)
        counts = apply_erasure(session, person, erasure, preview, now=now, actor=actor)
        ledger.intend(erasure, **line)
    ledger.close(erasure)
    return Erased(erasure, counts, preview, messages)


def locked(session: Session, who: Callable[[Session], Person]) -> Person:
    """The person, under the locks of a look: client, reminders, invoices. Nobody adds a contact meanwhile."""
    session.execute(text("LOCK TABLE contacts IN SHARE ROW EXCLUSIVE MODE"))
    person = who(session)
    at = {"at": list(person.at)}
    session.execute(text("SELECT id FROM clients WHERE id = ANY(:at) ORDER BY id FOR UPDATE"), at)
    session.execute(
        text(
            "SELECT id FROM reminders WHERE client_id = ANY(:at) AND state IN ('planned', 'claimed') ORDER BY id"
            " FOR NO KEY UPDATE"
        ),
        at,
    )
    session.execute(text("SELECT id FROM invoices WHERE client_id = ANY(:at) ORDER BY id FOR NO KEY UPDATE"), at)
    return person


def apply_erasure(
    session: Session, person: Person, erasure: str, preview: Preview, *, now: datetime, actor: str
) -> dict[str, int]:
    """Write it down and do it, in the caller's transaction; returns rows by table."""
    session.execute(text(_CANCEL), person.values(now=now))
    session.execute(text(_DOUBLE), person.values())
    _forget_origins(session, person, actor=actor)
    counts = {name: _erase(session, table, person, now) for name, table in MAP.items()}
    counts = {name: count for name, count in counts.items() if count}
    session.execute(text(_SILENCE), person.values(now=now))
    session.expire_all()
    session.add(
        Erasure(
            id=uuid.UUID(erasure),
            erased_at=now,
            actor=actor,
            client_ids=list(person.clients),
            contact_ids=list(person.contacts),
            operator_ids=list(person.operators),
            kept_until=preview.kept_until,
            counts=counts,
        )
    )
    audit.record(
        session,
        actor=actor,
        action="privacy.erase",
        subject=subject_of(person),
        after={"erasure": erasure, "rows": counts, "contacts": list(person.contacts)},
    )
    for client_id in person.at:
        wake(session, now=now, client_id=client_id)
    session.flush()
    return counts


def ledger_line(session: Session, person: Person, *, now: datetime) -> dict[str, Any]:
    """What finds the same rows again in a database of any day: ids with the instants of their making, and hashes."""
    line: dict[str, Any] = {"at": now.isoformat()}
    for table, ids in (("clients", person.clients), ("contacts", person.contacts), ("operators", person.operators)):
        query = f"SELECT id, created_at FROM {table} WHERE id = ANY(:ids) ORDER BY id"  # noqa: S608  # three constants
        line[table] = [
            [row.id, row.created_at.isoformat()] for row in session.execute(text(query), {"ids": list(ids)})
        ]
    hashes = text("SELECT erased_address(a) FROM unnest(CAST(:addresses AS text[])) a")
    line["addresses"] = list(session.scalars(hashes, person.values()))
    line["blocked"] = [list(row) for row in session.execute(text(_BLOCKED), person.values())]
    return line


def _erase(session: Session, table: Table, person: Person, now: datetime) -> int:
    count = 0
    if table.rows and table.is_deleted:
        count = _run(session, f"DELETE FROM {table.name} WHERE {table.rows}", person, now)  # noqa: S608
    elif table.rows and (columns := table.handled_as("erased") | table.handled_as("secret")):
        becomes = ", ".join(f'"{name}" = {column.becomes}' for name, column in columns.items())
        count = _run(session, f"UPDATE {table.name} SET {becomes} WHERE {table.rows}", person, now)  # noqa: S608
    for name in table.mentions if person.addresses else ():
        replaced = f"regexp_replace({name}::text, :mentions, '(erased)', 'gi')"
        cast = "jsonb" if name == "details" else "text"
        mention = f"UPDATE {table.name} SET {name} = ({replaced})::{cast} WHERE {name}::text ~* :mentions"  # noqa: S608
        count += _run(session, mention, person, now)
    return count


def _run(session: Session, statement: str, person: Person, now: datetime) -> int:
    done = session.execute(text(statement), person.values(day=f"{now:%Y-%m-%d}"))
    return int(getattr(done, "rowcount", 0))


def _forget_origins(session: Session, person: Person, *, actor: str) -> None:
    rows = MAP["audit_events"].rows
    query = f"SELECT id FROM audit_events WHERE origin IS NOT NULL AND ({rows})"  # noqa: S608  # the map's
    forget_origins_of(session, list(session.scalars(text(query), person.values())), actor=actor)


def _messages_of(session: Session, person: Person) -> tuple[str, ...]:
    return tuple(session.scalars(text(_MESSAGES), person.values()))


_LETTERS, _MAILINGS = MAP["letters"].rows, MAP["mailings"].rows
_MESSAGES = f"SELECT message_id FROM letters WHERE {_LETTERS} UNION SELECT message_id FROM mailings WHERE {_MAILINGS}"  # noqa: S608
_CANCEL = f"""
UPDATE mailings SET state = 'cancelled', reason = 'the addressee was erased', settled_at = :now
 WHERE state = 'planned' AND ({_MAILINGS})
"""  # noqa: S608  # the map's
_DOUBLE = """
DELETE FROM suppressions s USING suppressions o
 WHERE o.address = ANY(:addresses) AND s.address = erased_address(o.address) AND s.reason = o.reason
   AND s.lifted_at IS NULL AND o.lifted_at IS NULL
"""
"""Erased before, met again under a block of its own: one of both is enough."""
_SILENCE = """
UPDATE contacts SET removed_at = coalesce(removed_at, :now), wrong_person_at = NULL, version = version + 1
 WHERE id = ANY(:contacts)
"""
_BLOCKED = """
SELECT erased_address(address), reason FROM suppressions WHERE address = ANY(:addresses) AND lifted_at IS NULL
 ORDER BY 1, 2
"""
