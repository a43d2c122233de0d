"""What an erasure would do: what goes, what stays and until when, what stands in its way."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.privacy.columns import MAP
from nudgepay.privacy.judging import WORD, Table
from nudgepay.privacy.people import Person
from nudgepay.privacy.terms import TERM


@dataclass(frozen=True, slots=True)
class Going:
    """Rows of one table of which these columns are emptied, or which go whole."""

    table: str
    rows: int
    columns: tuple[str, ...]
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Staying:
    """Rows of one table of which these columns are kept by a rule, at the latest up to the day before `until`."""

    table: str
    rows: int
    columns: tuple[str, ...]
    rule: str
    until: date


@dataclass(frozen=True, slots=True)
class Preview:
    """All of it. `obstacles` are codes; `silenced` open invoices will be asked for by nobody."""

    goes: tuple[Going, ...]
    stays: tuple[Staying, ...]
    obstacles: tuple[str, ...]
    silenced: int
    is_done: bool

    @property
    def kept_until(self) -> date | None:
        """The first day on which nothing is kept by law any more; None when nothing is."""
        return max((one.until for one in self.stays), default=None)


def foresee_erasure(session: Session, person: Person, *, years: int) -> Preview:
    """Look, and change nothing."""
    tables = [table for table in MAP.values() if table.rows]
    goes = [found for table in tables if (found := _going(session, table, person)).rows]
    stays = [kept for table in tables if (kept := _staying(session, table, person, years)) is not None]
    return Preview(
        tuple(goes),
        tuple(stays),
        obstacles_of(session, person),
        _silenced(session, person),
        is_erased(session, person),
    )


def is_erased(session: Session, person: Person) -> bool:
    """True when nobody is left to be erased: neither a name nor an address."""
    left = (
        "SELECT EXISTS (SELECT FROM clients WHERE id = ANY(:clients) AND name <> :word)"
        " OR EXISTS (SELECT FROM contacts WHERE id = ANY(:contacts) AND email NOT LIKE '%@erased.invalid')"
        " OR EXISTS (SELECT FROM operators WHERE id = ANY(:operators) AND email NOT LIKE '%@erased.invalid')"
        " OR EXISTS (SELECT FROM suppressions WHERE address = ANY(:addresses))"
    )
    return not session.scalar(text(left), person.values(word=WORD))


def obstacles_of(session: Session, person: Person) -> tuple[str, ...]:
    """What must come to its end before: codes, in a fixed order."""
    found = session.execute(text(_OBSTACLES), person.values()).mappings().one()
    return tuple(name for name, is_there in found.items() if is_there)


def _going(session: Session, table: Table, person: Person) -> Going:
    columns = table.handled_as("erased") | table.handled_as("secret")
    count = 0
    if columns or table.is_deleted:
        query = f"SELECT count(*) FROM {table.name} WHERE {table.rows}"  # noqa: S608  # names of the map
        count = session.scalar(text(query), person.values()) or 0
    return Going(table.name, count, tuple(columns), table.is_deleted)


def _staying(session: Session, table: Table, person: Person, years: int) -> Staying | None:
    kept = table.handled_as("kept")
    if not kept or table.dated is None:
        return None
    there = " OR ".join(f"\"{name}\"::text NOT IN ('', '{WORD}')" for name in kept)
    query = (
        f"SELECT count(*), max({TERM.format(dated=table.dated)}) FROM {table.name}"  # noqa: S608  # names of the map
        f" WHERE ({table.rows}) AND ({there})"
    )
    count, until = session.execute(text(query), person.values(years=years)).one()
    rule = next(iter(kept.values())).rule
    return Staying(table.name, count, tuple(kept), rule, until) if count else None


def _silenced(session: Session, person: Person) -> int:
    return session.scalar(text(_SILENCED), person.values(at=list(person.at))) or 0


_OWN = "(contact_id = ANY(:contacts) OR client_id = ANY(:clients))"
_OBSTACLES = f"""
SELECT EXISTS (SELECT FROM letters WHERE state = 'sending' AND {_OWN})
    OR EXISTS (SELECT FROM mailings WHERE state = 'sending' AND {_OWN}) AS letter_on_its_way,
       EXISTS (SELECT FROM letters WHERE state = 'unknown' AND {_OWN})
    OR EXISTS (SELECT FROM mailings WHERE state = 'unknown' AND {_OWN}) AS letter_in_doubt,
       EXISTS (SELECT FROM operators WHERE id = ANY(:operators) AND disabled_at IS NULL) AS operator_active,
       EXISTS (SELECT FROM stripe_events WHERE handled_at IS NULL AND payload ~* :mentions) AS event_waiting,
       EXISTS (SELECT FROM import_uploads WHERE content IS NOT NULL AND state NOT IN ('done', 'failed', 'discarded'))
           AS file_waiting
"""  # noqa: S608  # constants only
_SILENCED = """
SELECT count(*) FROM invoices i
 WHERE i.status = 'open' AND i.client_id = ANY(:at)
   AND NOT EXISTS (SELECT FROM contacts k WHERE k.client_id = i.client_id AND k.id <> ALL(:contacts)
                      AND k.role <> 'copy' AND k.removed_at IS NULL)
"""
