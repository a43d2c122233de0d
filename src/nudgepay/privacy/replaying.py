"""A restored database knows people whom a later day has erased: the ledger is applied to it, again and again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.privacy.erasing import apply_erasure, locked
from nudgepay.privacy.erasure_ledger import ErasureLedger
from nudgepay.privacy.foreseeing import foresee_erasure, is_erased
from nudgepay.privacy.models import Erasure
from nudgepay.privacy.people import Person, person_of


@dataclass(slots=True)
class Replayed:
    """`applied` erasures found something to erase, `absent` ones nothing; `standing` ones this database knows."""

    applied: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def replay_erasures(
    db: Database, ledger: ErasureLedger, *, years: int, now: datetime, actor: str, dry_run: bool = False
) -> Replayed:
    """Each erasure of the ledger in a transaction of its own; rows made after an erasure are left alone."""
    result = Replayed()
    for line in ledger.intents():
        with db.transaction() as session:
            found = _replay(session, line, years=years, now=now, actor=actor, dry_run=dry_run)
        getattr(result, found).append(line["erasure"])
    return result


def _replay(session: Session, line: dict[str, Any], *, years: int, now: datetime, actor: str, dry_run: bool) -> str:
    if session.get(Erasure, line["erasure"]) is not None:
        return "standing"
    person = _found(session, line) if dry_run else locked(session, lambda inner: _found(inner, line))
    blocked = [] if dry_run else _block(session, line["blocked"], now=now)
    if is_erased(session, person):
        return "applied" if blocked else "absent"
    if not dry_run:
        preview = foresee_erasure(session, person, years=years)
        apply_erasure(session, person, line["erasure"], preview, now=now, actor=actor)
    return "applied"


def _found(session: Session, line: dict[str, Any]) -> Person:
    """The rows that were erased, as this database has them; an id that was given out anew is somebody else."""
    ids = {name: _same(session, name, line[name]) for name in ("clients", "contacts", "operators")}
    known = {"hashes": line["addresses"], "at": line["at"], **ids}
    contacts = {*ids["contacts"], *session.scalars(text(_CONTACTS), known)}
    addresses = session.scalars(text(_ADDRESSES), known).all() if line["addresses"] else []
    return person_of(
        session, clients=ids["clients"], contacts=contacts, operators=ids["operators"], addresses=addresses
    )


def _same(session: Session, table: str, rows: Iterable[list[Any]]) -> list[int]:
    query = text(f"SELECT id FROM {table} WHERE id = :id AND created_at = CAST(:made AS timestamptz)")  # noqa: S608
    found = [session.scalar(query, {"id": row_id, "made": made}) for row_id, made in rows]
    return [one for one in found if one is not None]


def _block(session: Session, blocked: Iterable[list[str]], *, now: datetime) -> list[str]:
    """Blocks that the backup did not know yet: an address that wished for no letters gets none."""
    known: dict[str, Any] = {"now": now}
    return [
        reason
        for address, reason in blocked
        if session.scalar(text(_ADD_BLOCK), known | {"address": address, "reason": reason}) is not None
    ]


_CONTACTS = """
SELECT id FROM contacts
 WHERE created_at <= CAST(:at AS timestamptz)
   AND (client_id = ANY(:clients) OR erased_address(email) = ANY(:hashes))
"""
_ADDRESSES = """
SELECT address FROM suppressions
 WHERE created_at <= CAST(:at AS timestamptz) AND erased_address(address) = ANY(:hashes)
"""
_ADD_BLOCK = """
INSERT INTO suppressions (address, reason, source, created_at)
SELECT :address, :reason, 'erasure', :now
 WHERE NOT EXISTS (SELECT FROM suppressions s WHERE s.reason = :reason AND s.lifted_at IS NULL
                      AND (s.address = :address OR erased_address(s.address) = :address))
ON CONFLICT DO NOTHING RETURNING id
"""
