"""Roles and permissions as a person understands them."""

from dataclasses import dataclass

from nudgepay.access.permissions import Permission
from nudgepay.web.ui.words import N_

TABS = (("/operators", N_("Operators")), ("/operators/roles", N_("Roles")))


@dataclass(frozen=True, slots=True)
class RoleWords:
    """A role as a person understands it."""

    title: str
    meaning: str


ROLES: dict[str, RoleWords] = {
    "viewer": RoleWords(N_("Viewer"), N_("Sees the books, the plan and the letters; changes nothing.")),
    "auditor": RoleWords(N_("Auditor"), N_("Sees everything there is, takes files away, changes nothing.")),
    "operator": RoleWords(N_("Operator"), N_("The daily work: clients, invoices, payments, letters.")),
    "manager": RoleWords(N_("Manager"), N_("Also imports, schedules, texts, the big switch; approves.")),
    "superadmin": RoleWords(N_("Superadmin"), N_("Everything, and says who may do what.")),
}

_P = Permission
GROUPS: tuple[tuple[str, dict[Permission, str]], ...] = (
    (
        N_("The books"),
        {
            _P.TODAY_READ: N_("See today's figures and tasks"),
            _P.CLIENT_READ: N_("See clients"),
            _P.CLIENT_WRITE: N_("Change clients and whom they are reached by"),
            _P.INVOICE_READ: N_("See invoices"),
            _P.INVOICE_WRITE: N_("Write invoices, pause and close them"),
            _P.PAYMENT_WRITE: N_("Record payments"),
            _P.INVOICE_IMPORT: N_("Import files"),
            _P.BOOKS_EXPORT: N_("Take the books away as files"),
            _P.INSIGHT_READ: N_("See the figures of past months"),
        },
    ),
    (
        N_("Letters"),
        {
            _P.PLAN_READ: N_("See what will go out"),
            _P.LETTER_READ: N_("Read what went out"),
            _P.LETTER_SEND: N_("Send a reminder by hand"),
            _P.LETTER_RESOLVE: N_("Settle letters in doubt"),
            _P.AMNESTY_RELEASE: N_("Release imported overdue invoices"),
            _P.SCHEDULE_READ: N_("See schedules"),
            _P.SCHEDULE_WRITE: N_("Change schedules and closing days"),
            _P.TEMPLATE_READ: N_("Read the texts"),
            _P.TEMPLATE_WRITE: N_("Change the texts"),
            _P.SENDING_SWITCH: N_("Move the big switch"),
        },
    ),
    (
        N_("Running it"),
        {
            _P.OPERATION_READ: N_("See jobs, notices and the ledger"),
            _P.NOTICE_RESOLVE: N_("Say that a notice was seen to"),
            _P.JOB_RUN: N_("Start a job"),
            _P.SETTING_READ: N_("See the settings, never a secret"),
            _P.AUDIT_READ: N_("Read who did what"),
            _P.PRIVACY_EXPORT: N_("Hand out a person's data"),
            _P.PRIVACY_ERASE: N_("Erase a person's data"),
        },
    ),
    (
        N_("Who may what"),
        {
            _P.OPERATOR_READ: N_("See who works here"),
            _P.OPERATOR_WRITE: N_("Say who works here, and as what"),
            _P.TOKEN_READ: N_("See the tokens of programs"),
            _P.TOKEN_WRITE: N_("Make and revoke tokens"),
            _P.APPROVAL_READ: N_("See what waits for a second person"),
            _P.APPROVAL_DECIDE: N_("Be the second person, for acts of one's own role"),
            _P.ACCOUNT_WRITE: N_("One's own account"),
        },
    ),
)
"""Every permission once, in the order in which a person thinks of them."""
