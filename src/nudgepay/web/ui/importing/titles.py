"""The kinds of files by name, in the person's language. The presets' own titles are marked here for translation."""

from typing import TYPE_CHECKING

from nudgepay.invoices.importing.layouts import PLAIN, presets
from nudgepay.web.ui.words import N_

if TYPE_CHECKING:
    from nudgepay.web.ui.page import Page

TITLES = (
    N_("FreshBooks: invoice details (one row for each line)"),
    N_("NudgePay's own export of invoices"),
    N_("QuickBooks Online: A/R ageing detail or open invoices with a customer column"),
    N_("QuickBooks Online: list of invoices or sales transactions"),
    N_("QuickBooks Online: open invoices, grouped by customer"),
    N_("Stripe: invoices exported from the dashboard"),
    N_("Xero: sales invoices (one row for each line)"),
)


def title_of(page: "Page", layout: str) -> str:
    """What a file with this layout is: a known export, a saved mapping, or one with columns by name."""
    if layout == PLAIN:
        return page.gettext("a file with columns by name")
    known = presets().get(layout)
    if known is not None:
        return page.gettext(known.title)
    return page.gettext("your mapping %(name)s") % {"name": layout}
