"""The words of the list's choices, of its built-in views, and of what a field may not hold."""

from nudgepay.web.ui.words import N_

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
    "void": (N_("No invoice is void"), N_("An invoice that was made in error is voided, and nothing more is sent for it.")),
    "uncollectible": (N_("Nothing was written off"), N_("What will never be paid is written off, and comes here.")),
    "draft": (N_("No drafts"), N_("A draft sends nothing until it is opened.")),
}
"""What an empty list says: title and text."""
