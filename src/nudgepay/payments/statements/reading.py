"""Which format a file has, and its statements: nothing of it when anything of it is wrong."""

from collections.abc import Mapping, Sequence

from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.payments.statements.bank_csv import read_bank_csv
from nudgepay.payments.statements.camt053 import read_camt053
from nudgepay.payments.statements.layouts import Layout
from nudgepay.payments.statements.lines import ReadStatement


def read_statements(
    raw: bytes,
    *,
    mapping: Mapping[str, str] | None = None,
    locale: str | None = None,
    currency: str = "",
    account: str = "",
    named: Sequence[Layout] = (),
) -> tuple[list[ReadStatement], list[RowFault]]:
    """Statements and faults of a camt.053 or CSV file; the options are for CSV. Raises UsageError for its columns."""
    try:
        if is_xml(raw):
            return read_camt053(raw), []
        return read_bank_csv(raw, mapping=mapping, locale=locale, currency=currency, account=account, named=named)
    except Unreadable as error:
        return [], [error.fault]


def is_xml(raw: bytes) -> bool:
    """True for what must be camt.053, False for what must be CSV; raises Unreadable for an archive."""
    if raw.startswith(b"PK\x03\x04"):
        raise Unreadable(RowFault(1, "", "zip", "is a ZIP archive; unpack it and import each file in it"))
    return b"<" in raw.lstrip()[:4]
