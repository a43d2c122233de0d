"""Keeping a file's lines: all of them or none, each once, whichever files hold it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.db import Database
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.payments.models import BankLine, BankStatement
from nudgepay.payments.reopening import tell_waiting
from nudgepay.payments.statements.lines import ReadLine, ReadStatement, dedup_keys
from nudgepay.payments.statements.queries import known_keys
from nudgepay.payments.statements.reading import read_statements

CHUNK = 1_000
ONE_FILE_AT_A_TIME = 0x6E706266  # "npbf": two overlapping files must not wait for each other's lines


@dataclass(slots=True)
class StatementReport:
    """What a file came to: lines kept, lines that were known, and what was passed over.

    `same_file` is True when the file was imported before, byte for byte.
    """

    format: str = ""
    accounts: int = 0
    lines: int = 0
    kept: int = 0
    known: int = 0
    debits: int = 0
    pending: int = 0
    reversals: int = 0
    same_file: bool = False
    errors: list[RowFault] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The shape of `statements import --json`."""
        names = ("format", "accounts", "lines", "kept", "known", "reversals", "debits", "pending", "same_file")
        counts = {name: getattr(self, name) for name in names}
        return {**counts, "errors": [fault.document() for fault in self.errors]}


def import_statement(
    db: Database,
    raw: bytes,
    *,
    now: datetime,
    actor: str,
    mapping: Mapping[str, str] | None = None,
    locale: str | None = None,
    currency: str = "",
    account: str = "",
    dry_run: bool = False,
) -> StatementReport:
    """Read a file and, unless anything in it is wrong, keep its lines in one transaction; a dry run keeps none.

    Faults are in the report; raises UsageError when a CSV file's columns are not found.
    """
    found, errors = read_statements(raw, mapping=mapping, locale=locale, currency=currency, account=account)
    report = StatementReport(accounts=len(found), errors=errors)
    for statement in found:
        report.format = statement.format
        report.lines += len(statement.lines)
        report.debits += statement.debits
        report.pending += statement.pending
        report.reversals += sum(line.is_reversal for line in statement.lines)
    if errors:
        return report
    digest = hashlib.sha256(raw).hexdigest()
    with db.transaction() as session:
        (_count if dry_run else _keep)(session, digest, found, report, now=now, actor=actor)
    return report


def _count(
    session: Session,
    digest: str,
    found: Sequence[ReadStatement],
    report: StatementReport,
    *,
    now: datetime,
    actor: str,
) -> None:
    seen = select(BankStatement.id).where(BankStatement.digest == digest)
    report.same_file = session.scalar(seen) is not None
    for statement in found:
        for chunk in _chunks(_named(statement)):
            report.known += len(known_keys(session, [key for key, _ in chunk]))
    report.kept = report.lines - report.known


def _keep(
    session: Session,
    digest: str,
    found: Sequence[ReadStatement],
    report: StatementReport,
    *,
    now: datetime,
    actor: str,
) -> None:
    session.execute(select(func.pg_advisory_xact_lock(ONE_FILE_AT_A_TIME)))
    for ordinal, statement in enumerate(found):
        name = digest if ordinal == 0 else f"{digest}:{ordinal}"
        statement_id = _add_statement(session, name, statement, now=now, actor=actor)
        if statement_id is None:
            report.same_file = True
            report.known += len(statement.lines)
            continue
        for chunk in _chunks(_named(statement)):
            _add_lines(session, statement_id, chunk)
        kept = session.scalar(select(func.count()).where(BankLine.statement_id == statement_id)) or 0
        report.kept += kept
        report.known += len(statement.lines) - kept
        audit.record(
            session,
            actor=actor,
            action="statement.import",
            subject=f"bank_statements:{statement_id}",
            after={"format": statement.format, "lines": len(statement.lines), "kept": kept},
        )
    tell_waiting(session, actor=actor)


def _named(statement: ReadStatement) -> Iterator[tuple[str, ReadLine]]:
    return zip(dedup_keys(statement.account, statement.lines), statement.lines, strict=True)


def _chunks(named: Iterator[tuple[str, ReadLine]]) -> Iterator[list[tuple[str, ReadLine]]]:
    while chunk := list(islice(named, CHUNK)):
        yield chunk


def _add_statement(
    session: Session, digest: str, statement: ReadStatement, *, now: datetime, actor: str
) -> int | None:
    """The new statement's id, or None when the file is known."""
    period_from, period_to = statement.period()
    return session.scalar(
        insert(BankStatement)
        .values(
            digest=digest,
            account=statement.account,
            format=statement.format,
            period_from=period_from,
            period_to=period_to,
            imported_at=now,
            imported_by=actor,
        )
        .on_conflict_do_nothing(index_elements=["digest"])
        .returning(BankStatement.id)
    )


def _add_lines(session: Session, statement_id: int, chunk: list[tuple[str, ReadLine]]) -> None:
    """Lines that are known already stay as they are."""
    values = [
        {
            "statement_id": statement_id,
            "dedup_key": key,
            "kind": "reversal" if line.is_reversal else "credit",
            "booked_on": line.booked_on,
            "amount": line.amount,
            "currency": line.currency,
            "counterparty": line.counterparty,
            "purpose": line.purpose,
            "reference": line.reference,
        }
        for key, line in chunk
    ]
    session.execute(insert(BankLine).on_conflict_do_nothing(index_elements=["dedup_key"]), values)
