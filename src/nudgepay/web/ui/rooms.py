"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in
from nudgepay.web.ui.invoice import routes as invoice

ROOMS = (signing_in, account, invoice)
