"""The words of the list's choices, of its built-in views, and of what a field may not hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from nudgepay.nudges.bulk import Act
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import number
from nudgepay.web.ui.words import N2_, N_

STATUS_WORDS = {
    "open": N_("Open"),
    "overdue": N_("Overdue"),
    "paid": N_("Paid"),
    "void": N_("Void"),
    "uncollectible": N_("Written off"),
    "draft": N_("Draft"),
    "all": N_("Every status"),
}
AGE_WORDS = {
    "current": N_("Not due yet"),
    "1-30": N_("1–30 days late"),
    "31-60": N_("31–60 days late"),
    "61-90": N_("61–90 days late"),
    "91+": N_("91 days late and more"),
}
MONEY_WORDS = {
    "unpaid": N_("Unpaid"),
    "partially_paid": N_("Partly paid"),
    "in_payment": N_("Being paid"),
    "paid": N_("Paid"),
    "overpaid": N_("Overpaid"),
    "refunded": N_("Refunded"),
    "needs_review": N_("Needs review"),
}
VIEWS = (
    (N_("Open"), ""),
    (N_("Overdue"), "status=overdue"),
    (N_("Held"), "reason=any"),
    (N_("Needs review"), "status=all&money_state=needs_review"),
    (N_("Paid"), "status=paid"),
)
"""Built in: label and query string, as `Filters.query` writes it."""
NOTHING = {
    "open": (N_("Nothing is owed"), N_("Every invoice is settled. New ones appear here as soon as they are made.")),
    "overdue": (N_("Nothing is overdue"), N_("Nobody is late. An invoice comes here on the day after its due date.")),
    "paid": (N_("Nothing is paid yet"), N_("An invoice comes here as soon as its money is on the books.")),
    "void": (N_("No invoice is void"), N_("What was made in error is voided, and nothing more is sent for it.")),
    "uncollectible": (N_("Nothing was written off"), N_("What will never be paid is written off, and comes here.")),
    "draft": (N_("No drafts"), N_("A draft sends nothing until it is opened.")),
}
"""What an empty list says: title and text."""
WHY_NOT = {
    "gone": N_("There is no such invoice"),
    "changed": N_("Somebody changed it after you saw it"),
    "not_open": N_("It is not open"),
    "already": N_("It is so already"),
}

MOST_NAMED = 5


def told_left(page: Page, names: Sequence[str]) -> str:
    """Which were left alone, the first by name."""
    named = ", ".join(name for name in names[:MOST_NAMED] if name)
    more = len(names) - MOST_NAMED
    text = page.ngettext(
        "%(count)s was changed by somebody meanwhile and left alone: %(numbers)s",
        "%(count)s were changed by somebody meanwhile and left alone: %(numbers)s",
        len(names),
    ) % {"count": number(len(names), page), "numbers": named or "–"}
    return f"{text} +{more}" if more > 0 else text


@dataclass(frozen=True, slots=True)
class BulkWords:
    """How an act on many invoices is called: the page's title, its button, and what is told when it is done."""

    title: tuple[str, str]
    button: str
    told: tuple[str, str]
    about: str = ""
    is_final: bool = False

    def headline(self, page: Page, count: int) -> str:
        """The page's title."""
        return page.ngettext(*self.title, count) % {"count": number(count, page)}

    def done(self, page: Page, count: int) -> str:
        """What was done."""
        return page.ngettext(*self.told, count) % {"count": number(count, page)}


BULK: dict[Act, BulkWords] = {
    "pause": BulkWords(
        N2_("Pause %(count)s invoice", "Pause %(count)s invoices"),
        N_("Pause"),
        N2_("%(count)s invoice is paused.", "%(count)s invoices are paused."),
        N_("Nothing is sent for them through the last day; then their reminders go on by themselves."),
    ),
    "resume": BulkWords(
        N2_("End the pause of %(count)s invoice", "End the pause of %(count)s invoices"),
        N_("End the pause"),
        N2_("The pause of %(count)s invoice has ended.", "The pause of %(count)s invoices has ended."),
        N_("What has come due meanwhile goes with the next pass: one letter, the step that fits today."),
    ),
    "reminders_off": BulkWords(
        N2_("Switch reminders off for %(count)s invoice", "Switch reminders off for %(count)s invoices"),
        N_("Switch off"),
        N2_("Reminders are off for %(count)s invoice.", "Reminders are off for %(count)s invoices."),
        N_("Nothing is sent for them until reminders are switched on again."),
    ),
    "reminders_on": BulkWords(
        N2_("Switch reminders on for %(count)s invoice", "Switch reminders on for %(count)s invoices"),
        N_("Switch on"),
        N2_("Reminders are on for %(count)s invoice.", "Reminders are on for %(count)s invoices."),
        N_("What has come due meanwhile goes with the next pass: one letter, the step that fits today."),
    ),
    "release": BulkWords(
        N2_("Release %(count)s imported invoice", "Release %(count)s imported invoices"),
        N_("Release"),
        N2_("%(count)s invoice is released.", "%(count)s invoices are released."),
        N_("They were overdue when they were imported. From now on their reminders go out like all others."),
        is_final=True,
    ),
    "void": BulkWords(
        N2_("Void %(count)s invoice", "Void %(count)s invoices"),
        N_("Void"),
        N2_("%(count)s invoice is void.", "%(count)s invoices are void."),
        N_("Nothing is claimed any more, and what was paid becomes the client's credit. This cannot be undone."),
        is_final=True,
    ),
}
FIELDS = {
    "client_id": N_("Client"),
    "number": N_("Number"),
    "description": N_("What it is for"),
    "amount_due": N_("Amount"),
    "currency": N_("Currency"),
    "issued_on": N_("Issued on"),
    "due_on": N_("Due on"),
    "schedule_name": N_("Schedule"),
    "external_id": N_("Your own key"),
}
PROBLEMS = {
    "missing": N_("This must not be empty."),
    "too_long": N_("This is too long."),
    "control_character": N_("This holds a line break or an invisible character; remove it."),
    "taken": N_("Another invoice has this already."),
    "number.taken": N_("Another invoice has this number."),
    "unknown_currency": N_("This is no currency code such as EUR."),
    "amount": N_("Write an amount such as %(example)s."),
    "amount_due.out_of_range": N_("The amount must be more than zero, and not absurdly large."),
    "below_paid": N_("So much is paid already: %(paid)s. The amount cannot be less."),
    "date": N_("Choose a day of the calendar."),
    "out_of_range": N_("This day is too far away; is the year right?"),
    "before_issued": N_("The due date must not lie before the day of issue."),
    "unknown_schedule": N_("There is no schedule of this name."),
    "unknown_client": N_("There is no such client any more."),
    "sent": N_("A letter has named it: this cannot be changed any more."),
    "paid": N_("Money was paid for it: this cannot be changed any more."),
    "in_payment": N_("A payment is on its way: wait until it arrives or fails."),
    "from_stripe": N_("It comes from Stripe: change it there."),
    "invalid": N_("This cannot be used."),
}
"""By `field.code` or by code alone, as FieldError has it."""
FIXED = {
    "sent": N_("A letter has named it"),
    "paid": N_("Money was paid for it"),
    "in_payment": N_("A payment is on its way"),
    "from_stripe": N_("It comes from Stripe"),
}
"""Why a field of the form cannot be changed."""
