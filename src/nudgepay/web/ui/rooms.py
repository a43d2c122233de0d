"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import (
    account,
    amnesty,
    clients,
    importing,
    insights,
    own_password,
    own_sessions,
    proving,
    second_factor,
    signing_in,
    statements,
    texts,
    tokens,
)
from nudgepay.web.ui.approvals import deciding
from nudgepay.web.ui.approvals import pages as approvals
from nudgepay.web.ui.audit import exporting as audit_export
from nudgepay.web.ui.audit import listing as audit_log
from nudgepay.web.ui.exports import everything
from nudgepay.web.ui.exports import pages as exports
from nudgepay.web.ui.invoice import routes as invoice
from nudgepay.web.ui.invoices import bulk, editing, exporting, making, saved_views
from nudgepay.web.ui.invoices import listing as invoices
from nudgepay.web.ui.letters import deciding as letter_decisions
from nudgepay.web.ui.letters import letter, runs
from nudgepay.web.ui.letters import listing as letters
from nudgepay.web.ui.operations import history, jobs, notices, overview, sending
from nudgepay.web.ui.operators import acting, inviting, joining
from nudgepay.web.ui.operators import listing as operators
from nudgepay.web.ui.plan import pages as plan
from nudgepay.web.ui.schedules import assigning as schedule_assigning
from nudgepay.web.ui.schedules import closing
from nudgepay.web.ui.schedules import editing as schedule_editing
from nudgepay.web.ui.schedules import pages as schedules
from nudgepay.web.ui.search import pages as search
from nudgepay.web.ui.settings import business, first_steps, sender, stripe
from nudgepay.web.ui.today import pages as today

ROOMS = (
    signing_in,
    today,
    statements,
    search,
    *(invoices, saved_views, bulk, exporting, making, editing),
    invoice,
    clients,
    *(importing, amnesty),
    *(letters, letter, letter_decisions, runs),
    plan,
    *(closing, schedule_editing, schedule_assigning, schedules),
    texts,
    insights,
    *(business, sender, stripe, first_steps),
    *(overview, notices, jobs, history, sending),
    *(audit_log, audit_export),
    *(operators, inviting, acting, joining),
    *(tokens, approvals, deciding),
    *(exports, everything),
    *(account, own_password, second_factor, own_sessions, proving),
)
