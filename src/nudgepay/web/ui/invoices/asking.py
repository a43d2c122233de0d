"""What a form asks for: one act, on invoices as they were seen, or on all that a list holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from nudgepay.access.acts import BULK_RELEASE
from nudgepay.errors import UsageError
from nudgepay.nudges.bulk import MOST, Act, Chosen
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.words import BULK
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import NotAllowed, Page

RELEASE = "amnesty:release"


@dataclass(frozen=True, slots=True)
class Asked:
    """One form: the act, the invoices as they were seen, and the last day of a pause (None: until it is ended)."""

    act: Act
    chosen: list[Chosen]
    until: date | None
    problem: str = ""
    back: str = "/invoices"


def asked_of(page: Page, action: str, chosen: Sequence[Chosen], until: str, back: str) -> Asked:
    """What a form means; raises UsageError and NotAllowed."""
    act = next((one for one in BULK if one == action), None)
    if act is None:
        raise UsageError("nothing of that name can be done to invoices")
    if act == "release" and not page.may(RELEASE):
        raise NotAllowed(f"your role ({page.signed.role}) may not do this; it takes {RELEASE}")
    if act == "release" and len(chosen) > BULK_RELEASE:
        raise UsageError(f"more than {BULK_RELEASE} are released at /amnesty, with a second person")
    if len(chosen) > MOST:
        raise UsageError(f"choose at most {MOST} invoices at once")
    day, problem = None, ""
    if act == "pause" and until:
        try:
            day = date.fromisoformat(until)
        except ValueError:
            problem = page.gettext("This is no day of the calendar.")
        if day is not None and day < today_of(page):
            problem = page.gettext("Choose today or a later day.")
    return Asked(act, list(chosen), day, problem, back_path(back))


def chosen_of(row: Sequence[str], rows: str) -> list[Chosen]:
    """The invoices of a form, each once: those that were ticked, and those of one field that holds many."""
    said = [*row, *filter(None, rows.split(","))]
    return list(dict.fromkeys(_pair(one) for one in said))


def _pair(said: str) -> Chosen:
    id_, _, version = said.partition(":")
    if not (_is_number(id_) and _is_number(version)):
        raise UsageError("a choice is not readable: load the list again")
    return Chosen(int(id_), int(version))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def back_path(back: str) -> str:
    """The list that the form came from; nowhere else."""
    path = own_path(back)
    return path if path.startswith("/invoices") else "/invoices"
