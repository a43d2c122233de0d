"""Checked rows, from whatever source, become clients, invoices and what was paid: all of them or none."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.db import Database
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.invoices.importing.rows import InvoiceRow
from nudgepay.invoices.models import Client, Contact, Invoice, new_token
from nudgepay.payments.books import reallocate
from nudgepay.payments.models import MoneyFact

CHUNK = 1_000
MOST_NOTED = 50
ONE_AT_A_TIME = 0x4E50_0002
"""The lock of the installation under which rows are written: a second import finds what the first one wrote."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a row did to one invoice: `created`, or `updated` with what it was before; amounts in minor units."""

    outcome: str
    row: InvoiceRow
    before: dict[str, str] = field(default_factory=dict)
    is_waiting: bool = False


@dataclass(slots=True)
class ImportReport:
    """What a file came to. `created`, `updated` and `unchanged` count invoices; `passed_over` counts those by reason.

    `recognised` is the layout that read the file, `preview` the first invoices as they were understood, `changes` the
    first of each kind that were written, `totals` what the file's invoices come to: by currency, their number, the
    sum of what they claim and of what is open of it (minor units).
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    waiting: int = 0
    encoding: str = ""
    sheet: str = ""
    recognised: str = ""
    title: str = ""
    remark: str = ""
    passed_over: dict[str, int] = field(default_factory=dict)
    preview: list[InvoiceRow] = field(default_factory=list)
    errors: list[RowFault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    totals: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def note(self, change: Change) -> None:
        """Count an invoice that is created or updated, and keep the first ones."""
        count = getattr(self, change.outcome) + 1
        setattr(self, change.outcome, count)
        if count <= MOST_NOTED:
            self.changes.append(change)

    def pass_over(self, reason: str, count: int = 1) -> None:
        """Count invoices that were left as they are."""
        self.passed_over[reason] = self.passed_over.get(reason, 0) + count

    def document(self) -> dict[str, Any]:
        """The shape of `--json`."""
        return {
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "passed_over": self.passed_over,
            "waiting_for_release": self.waiting,
            "recognised": self.recognised,
            "remark": self.remark,
            "encoding": self.encoding,
            "sheet": self.sheet,
            "errors": [fault.document() for fault in self.errors],
        }


class _Undo(Exception):
    """Ends a dry run: the transaction is rolled back."""


def write_rows(
    db: Database,
    rows: list[InvoiceRow],
    report: ImportReport,
    *,
    subject: str,
    now: datetime,
    actor: str,
    release: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
    first: Callable[[Session], None] = lambda session: None,
    then: Callable[[Session], None] = lambda session: None,
) -> None:
    """Write the rows in one transaction and count them in the report, unless it names a fault then.

    Invoices that are overdue already wait for a person's release unless `release`. A dry run writes nothing.
    `first` and `then` belong to the same transaction; `then` may add faults. `subject` names the source.
    """
    try:
        with db.transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
            first(session)
            _write(session, rows, report, now=now, actor=actor, release=release, progress=progress)
            if not report.errors:
                then(session)
            if report.errors or dry_run:
                raise _Undo
            audit.record(
                session,
                actor=actor,
                action="import.run",
                subject=subject,
                after={"rows": report.rows, "created": report.created, "updated": report.updated},
            )
    except _Undo:
        pass
    if report.errors:
        report.created = report.updated = report.unchanged = report.waiting = 0


def _write(
    session: Session,
    rows: list[InvoiceRow],
    report: ImportReport,
    *,
    now: datetime,
    actor: str,
    release: bool,
    progress: Callable[[int], None],
) -> None:
    clients = _ensure_clients(session, rows, report)
    if report.errors:
        return
    known = _known_invoices(session, rows)
    fresh: list[dict[str, Any]] = []
    paid: dict[int, list[tuple[InvoiceRow, int]]] = defaultdict(list)
    for row in rows:
        client_id = clients[_client_key(row)]
        invoice = known.get(("external", row.external_id or "")) or known.get(("number", row.invoice_number))
        if invoice is None:
            is_waiting = not release and row.due_on < now.date()
            report.note(Change("created", row, is_waiting=is_waiting))
            report.waiting += is_waiting
            fresh.append(_new_invoice(row, client_id, now=now, is_waiting=is_waiting))
            if len(fresh) >= CHUNK:
                _insert(session, fresh)
                progress(row.line)
            if row.amount_paid:
                paid[client_id].append((row, row.amount_paid))
        else:
            _update(session, invoice, row, client_id=client_id, report=report, paid=paid, now=now, actor=actor)
    if report.errors:
        return
    _insert(session, fresh)
    _book_paid(session, paid, now=now, actor=actor)


def _client_key(row: InvoiceRow) -> tuple[str, ...]:
    if row.client_external_id:
        return ("external", row.client_external_id)
    if not row.client_email:
        return ("name", row.client_name.casefold())
    return ("name", row.client_name.casefold(), row.client_email)


def _ensure_clients(session: Session, rows: list[InvoiceRow], report: ImportReport) -> dict[tuple[str, ...], int]:
    """Ids of the file's clients, by external id or else by name and address; the missing ones are created.

    A row without an address needs a client on the books with its external id, or the only one with its name.
    """
    found: dict[tuple[str, ...], int] = {}
    named: dict[str, set[int]] = defaultdict(set)
    query = select(Client.id, Client.external_id, Client.name, Contact.email).join(Contact, isouter=True)
    for client_id, external_id, name, email in session.execute(query.order_by(Client.id.desc())):
        if external_id:
            found["external", external_id] = client_id
        found["name", name.casefold(), email or ""] = client_id
        named[name.casefold()].add(client_id)
    missing = {_client_key(row): row for row in reversed(rows) if _client_key(row) not in found}
    for key, row in list(missing.items()):
        if row.client_email:
            continue
        candidates = named.get(row.client_name.casefold(), set())
        if len(candidates) == 1:
            found[key] = next(iter(candidates))
        else:
            report.errors.append(_without_address(row, len(candidates)))
        del missing[key]
    report.errors.sort(key=lambda fault: fault.line)
    if missing and not report.errors:
        found.update(zip(missing, _create_clients(session, list(missing.values())), strict=True))
    return found


def _without_address(row: InvoiceRow, candidates: int) -> RowFault:
    if candidates:
        cure = "several clients have this name; add a column client_external_id or client_email"
        return RowFault(row.line, "client_name", "client_ambiguous", cure)
    cure = "has no address here or on the books; first: nudgepay clients add NAME EMAIL, or add a column client_email"
    return RowFault(row.line, "client_email", "email_missing", cure)


def _create_clients(session: Session, rows: list[InvoiceRow]) -> list[int]:
    values = [
        {
            "name": row.client_name,
            "external_id": row.client_external_id,
            "locale": row.client_locale,
            "timezone": row.client_timezone,
            "country": row.client_country,
        }
        for row in rows
    ]
    ids = list(session.scalars(insert(Client).returning(Client.id, sort_by_parameter_order=True), values))
    contacts = [
        {
            "client_id": client_id,
            "name": row.client_name,
            "email": row.client_email,
            "role": "billing",
            "token": new_token(),
        }
        for client_id, row in zip(ids, rows, strict=True)
    ]
    session.execute(insert(Contact), contacts)
    return ids


def _known_invoices(session: Session, rows: list[InvoiceRow]) -> dict[tuple[str, str], Invoice]:
    found: dict[tuple[str, str], Invoice] = {}
    numbers = [row.invoice_number for row in rows]
    externals = [row.external_id for row in rows if row.external_id]
    for chunk in _chunks(numbers):
        for invoice in session.scalars(select(Invoice).where(Invoice.number.in_(chunk))):
            found["number", invoice.number] = invoice
    for chunk in _chunks(externals):
        for invoice in session.scalars(select(Invoice).where(Invoice.external_id.in_(chunk))):
            found["external", invoice.external_id or ""] = invoice
    return found


def _chunks(values: list[str]) -> Iterable[Collection[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _new_invoice(row: InvoiceRow, client_id: int, *, now: datetime, is_waiting: bool) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "number": row.invoice_number,
        "external_id": row.external_id,
        "description": row.description,
        "currency": row.currency,
        "amount_due": row.amount,
        "amount_remaining": row.amount,
        "issued_on": row.issued_on,
        "due_on": row.due_on,
        "token": new_token(),
        "amnesty_at": now if is_waiting else None,
        "next_at": now,
    }


def _update(
    session: Session,
    invoice: Invoice,
    row: InvoiceRow,
    *,
    client_id: int,
    report: ImportReport,
    paid: dict[int, list[tuple[InvoiceRow, int]]],
    now: datetime,
    actor: str,
) -> None:
    if (invoice.client_id, invoice.currency) != (client_id, row.currency):
        what = "client" if invoice.client_id != client_id else "currency"
        message = f"the invoice is on the books with another {what}"
        report.errors.append(RowFault(row.line, "invoice_number", f"other_{what}", message))
        return
    if row.is_open_amount:
        if row.amount > invoice.amount_remaining:
            report.pass_over("less_is_open_here")
            return
        row = replace(row, amount=invoice.amount_due, amount_paid=invoice.amount_due - row.amount)
    wanted = {"amount_due": row.amount, "issued_on": row.issued_on, "due_on": row.due_on}
    before = {name: getattr(invoice, name) for name, value in wanted.items() if getattr(invoice, name) != value}
    more_paid = row.amount_paid - invoice.amount_paid
    if (not before and more_paid <= 0) or invoice.status not in {"open", "paid"}:
        report.unchanged += 1
        return
    if row.amount < invoice.amount_paid:
        message = "the new amount is less than what was paid already; record a refund instead"
        report.errors.append(RowFault(row.line, "amount", "below_paid", message))
        return
    told = {name: str(value) for name, value in before.items()}
    report.note(Change("updated", row, told | ({"amount_paid": str(invoice.amount_paid)} if more_paid > 0 else {})))
    if before:
        invoice.amount_due, invoice.issued_on, invoice.due_on = row.amount, row.issued_on, row.due_on
        invoice.amount_remaining = row.amount - invoice.amount_paid
        invoice.version += 1
        invoice.next_at = now
        audit.record(
            session,
            actor=actor,
            action="invoice.import",
            subject=f"invoices:{invoice.id}",
            before={name: str(value) for name, value in before.items()},
            after={name: str(value) for name, value in wanted.items()},
        )
        paid.setdefault(client_id, [])
    if more_paid > 0:
        paid[client_id].append((row, more_paid))


def _insert(session: Session, fresh: list[dict[str, Any]]) -> None:
    session.flush()
    if fresh:
        session.execute(insert(Invoice), fresh)
        fresh.clear()


def _book_paid(session: Session, paid: dict[int, list[tuple[InvoiceRow, int]]], *, now: datetime, actor: str) -> None:
    """What the file says was paid beyond what the books know, as facts of the provider `import`."""
    numbers = [row.invoice_number for rows in paid.values() for row, _ in rows]
    ids: dict[str, int] = {}
    for chunk in _chunks(numbers):
        query = select(Invoice.number, Invoice.id).where(Invoice.number.in_(chunk))
        ids.update((number, invoice_id) for number, invoice_id in session.execute(query))
    facts = [
        {
            "provider": "import",
            "provider_id": f"{row.invoice_number}:{row.amount_paid}:{now.isoformat()}",
            "kind": "payment",
            "amount": amount,
            "currency": row.currency,
            "client_id": client_id,
            "occurred_at": now,
            "targets": [{"invoice_id": ids[row.invoice_number], "amount": amount}],
            "actor": actor,
        }
        for client_id, rows in paid.items()
        for row, amount in rows
    ]
    for start in range(0, len(facts), CHUNK):
        session.execute(insert(MoneyFact), facts[start : start + CHUNK])
    session.flush()
    for client_id in sorted(paid):
        reallocate(session, client_id, now=now)
