"""What people did, from the audit log: acts that no other row of the story tells."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import day
from nudgepay.web.ui.words import N_

Row = Mapping[str, Any]


class Act(NamedTuple):
    """How an act is shown; `text` says more about this one."""

    icon: str
    title: str
    tone: str = ""
    text: Callable[[Row, Page], str] = lambda _row, _page: ""


def _overridden(row: Row, page: Page) -> str:
    overridden = (row["after"] or {}).get("gap_overridden")
    return page.gettext("although this person had a letter a short while ago") if overridden else ""


def _changes(row: Row, _: Page) -> str:
    """Names and values as they were written down; status and version go without saying."""
    before, after = row["before"] or {}, row["after"] or {}
    names = [name for name in after if name not in {"status", "version"} and before.get(name) != after[name]]
    return ", ".join(f"{name}: {before.get(name, '–')} → {after[name]}" for name in names)


_SWITCHES = {
    "invoice.reminders": {"on": N_("Reminders switched on"), "off": N_("Reminders switched off")},
    "client.reminders": {
        "on": N_("Reminders for the whole client switched on"),
        "off": N_("Reminders for the whole client switched off"),
    },
}
ACTS: Mapping[str, Act] = {
    "invoice.unpause": Act("play", N_("The pause was ended")),
    "invoice.release": Act("play", N_("Released: it may be reminded of")),
    "invoice.void": Act("void", N_("Voided"), "warn"),
    "invoice.uncollectible": Act("void", N_("Written off"), "warn"),
    "invoice.reopen": Act("restore", N_("Opened again")),
    "invoice.import": Act("upload", N_("Changed by an import"), "", _changes),
    "invoice.update": Act("edit", N_("Edited"), "", _changes),
    "invoice.edit": Act("edit", N_("Edited"), "", _changes),
    "document.attach": Act("attach", N_("PDF attached")),
    "document.detach": Act("attach", N_("PDF removed")),
    "nudge.request": Act("send", N_("A nudge was ordered"), "", _overridden),
    "nudge.cancel": Act("undo", N_("A nudge was taken back")),
    "reminder.approve": Act("check", N_("A letter was read and approved"), "ok"),
    "payment.allocate": Act("money", N_("A payment was allocated anew")),
    "letter.retry": Act("restore", N_("A failed letter is to be tried again")),
    "letter.repeat": Act("restore", N_("A doubtful letter was handed over once more")),
    "contact.wrong_person": Act("person", N_("Somebody says to be the wrong person for this"), "warn"),
    "contact.confirm": Act("person", N_("The contact was confirmed as the right person"), "ok"),
    "contact.create": Act("add-person", N_("A contact was added")),
    "evidence.export": Act("download", N_("The evidence was downloaded")),
}

TOLD_BY_ROWS = frozenset({"invoice.create", "client.create"})


def act_of(row: Row, page: Page) -> Act | None:
    """How this audit event is shown, its title translated; None when another row tells it."""
    action, after = row["action"], row["after"] or {}
    if action in _SWITCHES:
        is_on = after.get("reminders") == "on"
        title = _SWITCHES[action]["on" if is_on else "off"]
        return Act("play" if is_on else "pause", page.gettext(title))
    if action == "invoice.pause":
        return Act("pause", _paused(after.get("paused_until"), page))
    known = ACTS.get(action)
    if known is None and action in TOLD_BY_ROWS:
        return None
    if known is None and action.startswith(("invoice.", "client.")):
        known = Act("edit", N_("Changed"), "", _changes)
    return known and known._replace(title=page.gettext(known.title))


def _paused(until: object, page: Page) -> str:
    try:
        last = date.fromisoformat(str(until))
    except ValueError:
        return page.gettext("Paused")
    if last == date.max:
        return page.gettext("Paused until somebody ends it")
    return page.gettext("Paused through %(day)s") % {"day": day(last, page).striptags()}
