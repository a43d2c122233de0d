"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, amnesty, clients, importing, signing_in

ROOMS = (signing_in, account, clients, importing, amnesty)
