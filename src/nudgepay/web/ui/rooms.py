"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in
from nudgepay.web.ui.search import pages as search
from nudgepay.web.ui.today import pages as today

ROOMS = (signing_in, today, search, account)
