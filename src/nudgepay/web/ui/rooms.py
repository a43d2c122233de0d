"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, insights, signing_in
from nudgepay.web.ui.letters import deciding as letter_decisions
from nudgepay.web.ui.letters import letter, runs
from nudgepay.web.ui.letters import listing as letters

ROOMS = (signing_in, account, letters, letter, letter_decisions, runs, insights)
