"""The report of an upload as it is stored: enough for a page, however large the file was."""

from typing import Any

from nudgepay.invoices.importing.faults import RowFault
from nudgepay.payments.rows import Change, ImportReport

MOST_FAULTS = 5_000
"""Faults that are kept; the rest is counted."""


def stored(report: ImportReport) -> dict[str, Any]:
    """The report as JSON; amounts in minor units."""
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
        "faults": len(report.errors),
        "errors": [_fault(fault) for fault in report.errors[:MOST_FAULTS]],
        "totals": {currency: list(sums) for currency, sums in sorted(report.totals.items())},
        "changes": [_change(change) for change in report.changes] if not report.errors else [],
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
