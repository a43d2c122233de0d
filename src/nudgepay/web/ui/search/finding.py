"""What a typed text may mean, and what is found for it."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.access.permissions import Permission
from nudgepay.invoices.searching import Amount, TooBroad, find_amounts, find_clients, find_invoices
from nudgepay.money import AmountError, parse_major, without_symbol
from nudgepay.web.ui.navigation import SECTIONS
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.words import N_

LONGEST = 80
MOST = 6
ONE_OF_EACH = {0: "JPY", 2: "EUR", 3: "KWD"}
"""A currency for each number of decimals, to read an amount by."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A place or an act that can be gone to."""

    label: str
    path: str
    icon: str
    permission: Permission


ACTS = (
    Goal(N_("New invoice"), "/invoices/new", "plus", Permission.INVOICE_WRITE),
    Goal(N_("New client"), "/clients/new", "add-person", Permission.CLIENT_WRITE),
    Goal(N_("Import"), "/import", "upload", Permission.INVOICE_IMPORT),
    Goal(N_("What needs a person"), "/tasks", "warn", Permission.TODAY_READ),
    Goal(N_("What came in"), "/payments", "money", Permission.INVOICE_READ),
    Goal(N_("Bank lines that wait"), "/payments/statements/waiting", "bank", Permission.PAYMENT_WRITE),
    Goal(N_("Your account"), "/account", "person", Permission.ACCOUNT_WRITE),
)
GOALS = (
    *(Goal(one.label, one.path, one.icon, one.permission) for section in SECTIONS for one in section.places),
    *ACTS,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a text leads to. `is_too_broad`: the books were not looked through to the end."""

    sought: str
    goals: list[Goal]
    invoices: list[Any]
    clients: list[Any]
    amounts: list[Any]
    is_too_broad: bool = False

    @property
    def is_empty(self) -> bool:
        """True when it leads nowhere."""
        return not (self.goals or self.invoices or self.clients or self.amounts)


def find(session: Session, page: Page, typed: str) -> Found:
    """Everything that the person may see and that answers to the text; without a text, every place."""
    sought = clean(typed)
    goals = [one for one in GOALS if page.may(one.permission) and _answers(page.gettext(one.label), sought)]
    found = Found(sought, goals if sought else goals[: -len(ACTS)], [], [], [])
    if not sought:
        return found
    try:
        if page.may(Permission.INVOICE_READ):
            found.invoices.extend(find_invoices(session, sought, limit=MOST))
            known = {row.id for row in found.invoices}
            costing = find_amounts(session, amounts_in(sought, page.locale), limit=MOST)
            found.amounts.extend(row for row in costing if row.id not in known)
        if page.may(Permission.CLIENT_READ):
            found.clients.extend(find_clients(session, sought, limit=MOST))
    except TooBroad:
        return Found(sought, goals, found.invoices, found.clients, found.amounts, is_too_broad=True)
    return found


def clean(typed: str) -> str:
    """The text without what nobody can type, and not longer than any name."""
    kept = "".join(sign for sign in typed[: 4 * LONGEST] if unicodedata.category(sign)[0] != "C")
    return " ".join(kept.split())[:LONGEST]


def _answers(label: str, sought: str) -> bool:
    return any(word.startswith(sought.casefold()) for word in (label.casefold(), *label.casefold().split()))


def amounts_in(sought: str, locale: str) -> list[Amount]:
    """Every amount that the text may be: as the person writes it, as it is written in English and in German."""
    given = without_symbol(sought)
    found: dict[Amount, None] = {}
    for decimals, currency in ONE_OF_EACH.items():
        for convention in (locale, "en", "de", None):
            try:
                minor = parse_major(given, currency, convention)
            except AmountError:
                continue
            if minor > 0:
                found[Amount(minor, decimals)] = None
    return list(found)
