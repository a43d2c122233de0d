"""Keeping a file's lines: all of them or none, each once, whichever files hold it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from nudgepay.payments.statements.layouts import Layout
from nudgepay.payments.statements.lines import ReadLine, ReadStatement, dedup_keys
from nudgepay.payments.statements.queries import known_keys
from nudgepay.payments.statements.reading import read_statements
from nudgepay.payments.statements.saved import saved_layouts

SAMPLES = 10
CHUNK = 1_000
ONE_FILE_AT_A_TIME = 0x6E706266  # "npbf": two overlapping files must not wait for each other's lines


@dataclass(slots=True)
class StatementReport:
    """What a file came to: lines kept, lines that were known, and what was passed over.

    `same_file` is True when the file was imported before, byte for byte. `sums` are what came in by currency,
    `sample` the first lines, `statements` the ids of what is kept of the file, now or since before.
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
    sums: Counter[str] = field(default_factory=Counter)
    sample: list[ReadLine] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)

    def add(self, statement: ReadStatement) -> None:
        """Count what a part of the file holds."""
        self.format = statement.format
        self.accounts += 1
        self.lines += len(statement.lines)
        self.debits += statement.debits
        self.pending += statement.pending
        self.reversals += sum(line.is_reversal for line in statement.lines)
        for line in statement.lines:
            self.sums[line.currency] += 0 if line.is_reversal else line.amount
        self.sample += statement.lines[: SAMPLES - len(self.sample)]

    def document(self) -> dict[str, Any]:
        """The shape of `statements import --json`."""
        names = ("format", "accounts", "lines", "kept", "known", "reversals", "debits", "pending", "same_file")
        counts = {name: getattr(self, name) for name in names}
        return {**counts, "errors": [fault.document() for fault in self.errors]}


@dataclass(frozen=True, slots=True)
class _Keeping:
    """What every step of one file's keeping is told."""

    session: Session
    digest: str
    report: StatementReport
    tell: Callable[[int], None]


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
    layout: Layout | None = None,
    dry_run: bool = False,
    name: str | None = None,
    progress: Callable[[int], None] = lambda lines: None,
    then: Callable[[Session, StatementReport], None] = lambda session, report: None,
) -> StatementReport:
    """Read a file and, unless anything in it is wrong, keep its lines in one transaction; a dry run keeps none.

    `layout` is what a person said of a CSV file's columns, `name` the file's own; `then` is part of that transaction.
    Faults are in the report; raises UsageError when a CSV file's columns are not found.
    """
    with db.transaction() as session:
        named = [layout] if layout is not None else saved_layouts(session)
    found, errors = read_statements(
        raw, mapping=mapping, locale=locale, currency=currency, account=account, named=named
    )
    report = StatementReport(errors=errors)
    for statement in found:
        report.add(statement)
    if errors:
        return report
    with db.transaction() as session:
        keeping = _Keeping(session, hashlib.sha256(raw).hexdigest(), report, progress)
        if dry_run:
            _count(keeping, found)
        else:
            _keep(keeping, found, name=name, now=now, actor=actor)
        then(session, report)
    return report


def _count(keeping: _Keeping, found: Sequence[ReadStatement]) -> None:
    report, done = keeping.report, 0
    known = _known_as(keeping.session, keeping.digest)
    report.same_file, report.statements = known is not None, [known] if known is not None else []
    for statement in found:
        for chunk in _chunks(_named(statement)):
            report.known += len(known_keys(keeping.session, [key for key, _ in chunk]))
            done += len(chunk)
            keeping.tell(done)
    report.kept = report.lines - report.known


def _keep(keeping: _Keeping, found: Sequence[ReadStatement], *, name: str | None, now: datetime, actor: str) -> None:
    session, report, done = keeping.session, keeping.report, 0
    session.execute(select(func.pg_advisory_xact_lock(ONE_FILE_AT_A_TIME)))
    for ordinal, statement in enumerate(found):
        digest = keeping.digest if ordinal == 0 else f"{keeping.digest}:{ordinal}"
        known = _known_as(session, digest)
        if known is not None:
            report.same_file = True
            report.known += len(statement.lines)
            report.statements.append(known)
            continue
        kept = _statement(statement, digest=digest, name=name, now=now, actor=actor)
        session.add(kept)
        session.flush()
        for chunk in _chunks(_named(statement)):
            _add_lines(session, kept.id, chunk)
            done += len(chunk)
            keeping.tell(done)
        _settle(keeping, kept, statement, actor=actor)
    tell_waiting(session, actor=actor)


def _settle(keeping: _Keeping, kept: BankStatement, statement: ReadStatement, *, actor: str) -> None:
    """Lines that other files held already are not this statement's."""
    session, report, lines = keeping.session, keeping.report, len(statement.lines)
    new = session.scalar(select(func.count()).where(BankLine.statement_id == kept.id)) or 0
    kept.held = {
        "lines": lines,
        "known": lines - new,
        "debits": statement.debits,
        "pending": statement.pending,
        "reversals": sum(line.is_reversal for line in statement.lines),
    }
    report.kept += new
    report.known += lines - new
    report.statements.append(kept.id)
    audit.record(
        session,
        actor=actor,
        action="statement.import",
        subject=f"bank_statements:{kept.id}",
        after={"format": statement.format, "lines": lines, "kept": new},
    )


def _known_as(session: Session, digest: str) -> int | None:
    """The statement that this part of the file was kept as before."""
    return session.scalar(select(BankStatement.id).where(BankStatement.digest == digest))


def _named(statement: ReadStatement) -> Iterator[tuple[str, ReadLine]]:
    return zip(dedup_keys(statement.account, statement.lines), statement.lines, strict=True)


def _chunks(named: Iterator[tuple[str, ReadLine]]) -> Iterator[list[tuple[str, ReadLine]]]:
    while chunk := list(islice(named, CHUNK)):
        yield chunk


def _statement(
    statement: ReadStatement, *, digest: str, name: str | None, now: datetime, actor: str
) -> BankStatement:
    period_from, period_to = statement.period()
    return BankStatement(
        digest=digest,
        account=statement.account,
        format=statement.format,
        period_from=period_from,
        period_to=period_to,
        imported_at=now,
        imported_by=actor,
        name=name,
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
