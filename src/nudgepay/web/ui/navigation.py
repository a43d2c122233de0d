"""Where an operator can go, in the order of a day's work."""

from dataclasses import dataclass

from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import SignedIn
from nudgepay.web.ui.words import N_


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. `key` goes there after `g`; `is_here` marks where the person is."""

    label: str
    path: str
    icon: str
    permission: Permission
    key: str
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Entries that belong together; the first section has no heading."""

    label: str
    places: tuple[Place, ...]


SECTIONS = (
    Section(
        "",
        (
            Place(N_("Today"), "/", "today", Permission.TODAY_READ, "t"),
            Place(N_("Invoices"), "/invoices", "invoice", Permission.INVOICE_READ, "i"),
            Place(N_("Clients"), "/clients", "client", Permission.CLIENT_READ, "c"),
            Place(N_("Bank statements"), "/payments/statements", "bank", Permission.PAYMENT_WRITE, "b"),
            Place(N_("Plan"), "/plan", "plan", Permission.PLAN_READ, "p"),
            Place(N_("Letters"), "/letters", "letter", Permission.LETTER_READ, "l"),
            Place(N_("Insights"), "/insights", "insight", Permission.INSIGHT_READ, "n"),
        ),
    ),
    Section(
        N_("Set up"),
        (
            Place(N_("Schedules"), "/schedules", "schedule", Permission.SCHEDULE_READ, "s"),
            Place(N_("Templates"), "/templates", "template", Permission.TEMPLATE_READ, "m"),
            Place(N_("Settings"), "/settings", "setting", Permission.SETTING_READ, "e"),
        ),
    ),
    Section(
        N_("Running"),
        (
            Place(N_("Operations"), "/operations", "operation", Permission.OPERATION_READ, "o"),
            Place(N_("Runs"), "/runs", "run", Permission.LETTER_READ, "r"),
            Place(N_("Audit log"), "/audit", "shield", Permission.AUDIT_READ, "a"),
            Place(N_("Exports"), "/exports", "download", Permission.BOOKS_EXPORT, "x"),
        ),
    ),
    Section(
        N_("Access"),
        (
            Place(N_("Operators"), "/operators", "person", Permission.OPERATOR_READ, "u"),
            Place(N_("Tokens"), "/tokens", "lock", Permission.TOKEN_READ, "k"),
            Place(N_("Approvals"), "/approvals", "check", Permission.APPROVAL_READ, "v"),
        ),
    ),
)


def navigation(signed: SignedIn, path: str) -> list[Section]:
    """The sections with the places that this person may see, the present one marked."""
    found = []
    for section in SECTIONS:
        places = tuple(
            Place(one.label, one.path, one.icon, one.permission, one.key, _is_at(one.path, path))
            for one in section.places
            if signed.may(one.permission)
        )
        if places:
            found.append(Section(section.label, places))
    return found


def _is_at(place: str, path: str) -> bool:
    return path == place or (place != "/" and path.startswith(f"{place}/"))
