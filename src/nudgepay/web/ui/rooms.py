"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in
from nudgepay.web.ui.letters import deciding as letter_decisions
from nudgepay.web.ui.letters import letter, runs
from nudgepay.web.ui.letters import listing as letters
from nudgepay.web.ui.operations import history, jobs, notices, overview, sending
from nudgepay.web.ui.settings import business, first_steps, sender, stripe

ROOMS = (
    *(signing_in, account, letters, letter, letter_decisions, runs),
    *(business, sender, stripe, first_steps),
    *(overview, notices, jobs, history, sending),
)
