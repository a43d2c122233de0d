"""What the law kept of people who were erased, past its term: forgotten too."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.privacy.columns import MAP
from nudgepay.privacy.judging import WORD, Table
from nudgepay.privacy.people import Person
from nudgepay.privacy.terms import TERM

_ERASED = "SELECT DISTINCT jsonb_array_elements_text(client_ids)::bigint FROM erasures ORDER BY 1"


def expire(session: Session, *, years: int, now: datetime, actor: str, dry_run: bool = False) -> dict[str, int]:
    """Erase, or with `dry_run` count, what is past its term; rows by table. Open invoices wait."""
    person = Person(clients=tuple(session.scalars(text(_ERASED))))
    kept = [table for table in MAP.values() if table.handled_as("kept") and table.dated]
    values = person.values(years=years, today=now.date())
    counts = {table.name: _expire(session, table, values, dry_run=dry_run) for table in kept}
    counts = {name: count for name, count in counts.items() if count}
    if counts and not dry_run:
        audit.record(session, actor=actor, action="privacy.expire", subject="table:erasures", after=counts)
    return counts


def _expire(session: Session, table: Table, values: dict[str, object], *, dry_run: bool) -> int:
    columns = table.handled_as("kept")
    past = f"({table.rows}) AND NOT ({table.open_while}) AND {TERM.format(dated=table.dated)} <= :today"
    if not table.is_deleted_at_term:
        left = " OR ".join(f"\"{name}\" NOT IN ('', '{WORD}')" for name in columns)
        past += f" AND ({left})"
    if dry_run:
        return session.scalar(text(f"SELECT count(*) FROM {table.name} WHERE {past}"), values) or 0  # noqa: S608
    statement = f"DELETE FROM {table.name} WHERE {past}"  # noqa: S608
    if not table.is_deleted_at_term:
        becomes = ", ".join(f'"{name}" = {column.becomes}' for name, column in columns.items())
        statement = f"UPDATE {table.name} SET {becomes} WHERE {past}"  # noqa: S608
    return int(getattr(session.execute(text(statement), values), "rowcount", 0))
