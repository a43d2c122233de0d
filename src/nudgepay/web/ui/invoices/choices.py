"""What each filter of the list offers, and the filters in force as chips that take them away."""

from collections.abc import Callable, Sequence

from nudgepay.nudges.invoice_filters import AGES, ANY, MONEY_STATES, STATUSES, Filters
from nudgepay.nudges.reasons import HELD_REASONS
from nudgepay.web.ui.invoices.words import AGE_WORDS, MONEY_WORDS, STATUS_WORDS
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.reasons import meaning
from nudgepay.web.ui.words import N_

Choices = dict[str, list[tuple[str, str]]]
LABELS = {
    "status": N_("Status"),
    "age": N_("Age"),
    "currency": N_("Currency"),
    "client": N_("Client"),
    "reason": N_("Silent"),
    "money_state": N_("Money"),
}


def choices(page: Page, filters: Filters, currencies: Sequence[str]) -> Choices:
    """Value and label of every option, by filter."""
    offered = sorted({*currencies, *([filters.currency] if filters.currency else [])})
    reasons = sorted((page.gettext(meaning(reason)), reason) for reason in HELD_REASONS)
    return {
        "status": [(one, page.gettext(STATUS_WORDS[one])) for one in STATUSES],
        "currency": [("", page.gettext("All currencies")), *((one, one) for one in offered)],
        "age": [("", page.gettext("Any age")), *((one, page.gettext(AGE_WORDS[one])) for one in AGES)],
        "reason": [
            ("", page.gettext("Silent or not")),
            (ANY, page.gettext("For any reason")),
            *((reason, label) for label, reason in reasons),
        ],
        "money_state": [
            ("", page.gettext("Any state of the money")),
            *((one, page.gettext(MONEY_WORDS[one])) for one in MONEY_STATES),
        ],
    }


def chips(page: Page, filters: Filters, client: str, path_of: Callable[..., str]) -> list[tuple[str, str, str]]:
    """Label, value and the address of the list without it."""
    offered = choices(page, filters, [])
    found = []
    for name, label in LABELS.items():
        value = getattr(filters, name)
        if not value or value == "open":
            continue
        text = client if name == "client" else dict(offered[name])[value]
        found.append((page.gettext(label), text, path_of(filters, **{name: None})))
    return found
