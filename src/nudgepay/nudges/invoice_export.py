"""The list of invoices as a file: the export's own columns, so that it can be read again, of what the list shows."""

from dataclasses import replace

from nudgepay.invoices.exporting.cells import Table
from nudgepay.invoices.exporting.tables import INVOICES
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.nudges.invoice_list import Source

_END = " ORDER BY i.id"


def invoices_as_listed(filters: Filters) -> Table:
    """What the list shows on all its pages, oldest entry first; its values as `list_values` has them."""
    listed = f"SELECT x.invoice_id FROM invoice_index x WHERE {Source(filters).where}"  # noqa: S608  # our own pieces
    return replace(INVOICES, query=f"{INVOICES.query.removesuffix(_END)} WHERE i.id IN ({listed}){_END}")
