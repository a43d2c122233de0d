"""Every act that takes a second person in words: what it would do, and where it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.access.acts import EXPORT_EVERYTHING, GRANT_SUPERADMIN, RELEASE_MANY, RESUME_RESTORED, ROTATE_SECRETS
from nudgepay.access.models import Operator
from nudgepay.access.permissions import Role
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import money, number
from nudgepay.web.ui.role_words import ROLES
from nudgepay.web.ui.words import N_


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of what would happen; `path` leads to where more is said."""

    label: str
    value: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class ActWords:
    """`details` of the parameters that were asked for; `form` is where the act is then done, with which fields."""

    title: str
    meaning: str
    button: str
    details: Callable[[Page, Session, Mapping[str, Any]], list[Detail]]
    form: Callable[[int, Mapping[str, Any]], tuple[str, dict[str, str]]]
    back: str
    icon: str = "shield"
    is_download: bool = field(default=False)


def _grant_details(page: Page, session: Session, params: Mapping[str, Any]) -> list[Detail]:
    operator = session.get(Operator, params["operator"])
    if operator is None:
        return []
    before, after = ROLES[operator.role].title, ROLES[Role.SUPERADMIN].title
    return [
        Detail(page.gettext("E-mail address"), operator.email, f"/operators/{operator.id}"),
        Detail(page.gettext("Role now"), page.gettext(before)),
        Detail(page.gettext("Role then"), page.gettext(after)),
    ]


_BOOKS = """
SELECT (SELECT count(*) FROM clients) AS clients, (SELECT count(*) FROM invoices) AS invoices,
       (SELECT count(*) FROM money_facts) AS money_facts, (SELECT count(*) FROM letters) AS letters
"""


def _book_details(page: Page, session: Session, _: Mapping[str, Any]) -> list[Detail]:
    labels = {
        "clients": page.gettext("Clients"),
        "invoices": page.gettext("Invoices"),
        "money_facts": page.gettext("Payments"),
        "letters": page.gettext("Letters, each as it was sent"),
    }
    row = session.execute(text(_BOOKS)).one()
    return [Detail(label, number(getattr(row, table), page)) for table, label in labels.items()]


_WAITING = """
SELECT currency, count(*) AS invoices, sum(amount_remaining)::bigint AS amount
  FROM invoices WHERE id = ANY(:ids) AND amnesty_at IS NOT NULL AND status = 'open'
 GROUP BY currency ORDER BY currency
"""


def _release_details(page: Page, session: Session, params: Mapping[str, Any]) -> list[Detail]:
    ids = params["invoices"]
    rows = session.execute(text(_WAITING), {"ids": ids}).all()
    waiting = sum(row.invoices for row in rows)
    found = [
        Detail(page.gettext("Invoices asked for"), number(len(ids), page), "/amnesty"),
        Detail(page.gettext("Of these still waiting"), number(waiting, page)),
    ]
    asked = page.gettext("Asked for in %(currency)s")
    return found + [Detail(asked % {"currency": row.currency}, money(row.amount, row.currency, page)) for row in rows]


def _restore_details(page: Page, _: Session, params: Mapping[str, Any]) -> list[Detail]:
    return [
        Detail(page.gettext("The backup is of"), params["restored_at"]),
        Detail(page.gettext("What would leave"), page.gettext("Look at the preview"), "/operations/sending/resume"),
    ]


def _nothing(page: Page, _: Session, __: Mapping[str, Any]) -> list[Detail]:
    return []


WORDS: dict[str, ActWords] = {
    GRANT_SUPERADMIN.name: ActWords(
        N_("Make somebody a superadmin"),
        N_("They could do everything, and say who else may do what."),
        N_("Make them a superadmin"),
        _grant_details,
        lambda _, params: (f"/operators/{params['operator']}/role", {"role": "superadmin"}),
        "/operators",
        "person",
    ),
    EXPORT_EVERYTHING.name: ActWords(
        N_("Take all of the books away"),
        N_("One archive of every client, invoice, payment and letter, with names and addresses."),
        N_("Download the archive"),
        _book_details,
        lambda _, __: ("/exports/everything", {}),
        "/exports",
        "download",
        is_download=True,
    ),
    RELEASE_MANY.name: ActWords(
        N_("Release many imported invoices"),
        N_("They were overdue when they were imported and have been silent since. Their reminders would begin."),
        N_("Release them"),
        _release_details,
        lambda approval_id, _: ("/amnesty/release", {"approval": str(approval_id)}),
        "/amnesty",
        "play",
    ),
    RESUME_RESTORED.name: ActWords(
        N_("Let a restored database send"),
        N_("It came out of a backup and knows nothing of what was sent and paid after it was taken."),
        N_("Resume sending"),
        _restore_details,
        lambda _, __: ("/operations/sending/resume", {}),
        "/operations/sending",
        "restore",
    ),
    ROTATE_SECRETS.name: ActWords(
        N_("Replace the installation's secrets"),
        N_("Every key that the installation made for itself is replaced by a new one."),
        N_("Go on"),
        _nothing,
        lambda _, __: ("/settings", {}),
        "/settings",
        "lock",
    ),
}

STATES: dict[str, tuple[str, str]] = {
    "waiting": ("warn", N_("Waiting")),
    "approved": ("ok", N_("Approved")),
    "declined": ("bad", N_("Declined")),
    "withdrawn": ("", N_("Withdrawn")),
    "used": ("ok", N_("Done")),
    "revoked": ("bad", N_("Revoked")),
    "expired": ("", N_("Out of time")),
}
"""Of each state: its tone and its word."""
