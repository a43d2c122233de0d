"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in
from nudgepay.web.ui.invoices import bulk, editing, exporting, listing, making, saved_views

ROOMS = (signing_in, account, listing, saved_views, bulk, exporting, making, editing)
