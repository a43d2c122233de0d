"""The report of an upload as it is stored: enough for a page, however large the file was."""

from typing import Any

from nudgepay.invoices.importing.faults import RowFault
from nudgepay.payments.rows import Change, ImportReport
from nudgepay.payments.statements.lines import ReadLine
from nudgepay.payments.statements.storing import StatementReport

MOST_FAULTS = 5_000
"""Faults that are kept; the rest is counted."""


def stored(report: ImportReport | StatementReport) -> dict[str, Any]:
    """The report as JSON; amounts in minor units."""
    told = _of_statement(report) if isinstance(report, StatementReport) else _of_invoices(report)
    return {
        **told,
        "faults": len(report.errors),
        "errors": [_fault(fault) for fault in report.errors[:MOST_FAULTS]],
    }


def _of_invoices(report: ImportReport) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "waiting": report.waiting,
        "passed_over": report.passed_over,
        "recognised": report.recognised,
        "title": report.title,
        "remark": report.remark,
        "encoding": report.encoding,
        "sheet": report.sheet,
        "totals": {currency: list(sums) for currency, sums in sorted(report.totals.items())},
        "changes": [_change(change) for change in report.changes] if not report.errors else [],
    }


def _of_statement(report: StatementReport) -> dict[str, Any]:
    return {
        **{name: value for name, value in report.document().items() if name != "errors"},
        "sums": dict(sorted(report.sums.items())),
        "statements": report.statements,
        "sample": [_line(line) for line in report.sample],
    }


def _line(line: ReadLine) -> dict[str, Any]:
    return {
        "booked_on": line.booked_on.isoformat(),
        "amount": line.amount,
        "currency": line.currency,
        "counterparty": line.counterparty,
        "purpose": line.purpose,
        "reference": line.reference,
    }


def _fault(fault: RowFault) -> dict[str, Any]:
    return {**fault.document(), "value": fault.value}


def _change(change: Change) -> dict[str, Any]:
    row = change.row
    return {
        "outcome": change.outcome,
        "line": row.line,
        "number": row.invoice_number,
        "client": row.client_name,
        "currency": row.currency,
        "amount": row.amount,
        "paid": row.amount_paid,
        "due_on": row.due_on.isoformat(),
        "before": change.before,
        "waits": change.is_waiting,
    }
