"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in
from nudgepay.web.ui.plan import pages as plan
from nudgepay.web.ui.schedules import closing, editing
from nudgepay.web.ui.schedules import pages as schedules

ROOMS = (signing_in, account, plan, closing, editing, schedules)
