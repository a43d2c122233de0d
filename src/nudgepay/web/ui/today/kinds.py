"""Every kind of notice in words for a person: what it is, what to do, and where that is done."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nudgepay.ledger import OpenNotices
from nudgepay.web.ui.words import N_

Ends = Literal["there", "here"]


@dataclass(frozen=True, slots=True)
class Kind:
    """`ends`: it ends by itself when the matter is settled `there`, or `here` when a person has seen to it.
    `place` is the page on which that is done, if it is none of a client, an invoice, a letter or a job.
    """

    title: str
    cure: str
    icon: str = "warn"
    ends: Ends = "there"
    place: str = ""


KINDS: dict[str, Kind] = {
    "letter.unknown": Kind(N_("Letters in doubt"), N_("Say whether they left"), "unknown"),
    "payment.needs_review": Kind(N_("Doubtful payments"), N_("Look at the money, then settle the doubt"), "money"),
    "dispute.opened": Kind(N_("Open disputes"), N_("Answer the payer, then resolve it"), "dispute"),
    "payment.claimed": Kind(N_("Payers who say they have paid"), N_("Look at your account, then record it"), "money"),
    "promise.broken": Kind(N_("Broken promises"), N_("Call the payer"), "promise", "here"),
    "payment.unapplied_credit": Kind(N_("Money without an invoice"), N_("Say what it pays, or pay it back"), "money"),
    "contact.bounced": Kind(N_("Addresses that do not exist"), N_("Correct the address"), "bounce"),
    "contact.complained": Kind(
        N_("Readers who called a letter spam"), N_("Write to somebody else, or call"), "bounce"
    ),
    "contact.wrong_person": Kind(N_("Wrong recipients"), N_("Name the right person"), "person"),
    "contact.unsubscribed": Kind(N_("Readers who want no reminders"), N_("Reach them another way"), "bounce"),
    "contact.manual": Kind(N_("Addresses blocked by hand"), N_("Lift the block when it is over"), "bounce"),
    "letter.bounced": Kind(N_("Letters that came back"), N_("Look why, then try again"), "bounce", "here"),
    "letter.failed": Kind(N_("Letters that were refused"), N_("Look why, then try again"), "bounce"),
    "letter.poisoned": Kind(
        N_("Letters that cannot be written"), N_("Repair the text or the client"), "letter", "here"
    ),
    "text.failing": Kind(N_("Texts that cannot be used"), N_("Correct the text"), "template"),
    "planning.failed": Kind(
        N_("Invoices that cannot be planned"), N_("Correct their days or time zone"), "plan", "here"
    ),
    "stripe.drift": Kind(N_("Differences with Stripe"), N_("Compare the payment with Stripe"), "card"),
    "stripe.unknown_payment": Kind(
        N_("Payments at Stripe that we do not know"), N_("Find whose they are"), "card", "here"
    ),
    "stripe.foreign_event": Kind(
        N_("Events of another Stripe account or mode"), N_("Check the keys"), "card", "here"
    ),
    "stripe.event_parked": Kind(
        N_("Stripe events that cannot be booked"), N_("Look at them at Stripe"), "card", "here"
    ),
    "stripe.invoice_not_closed": Kind(N_("Invoices that Stripe will not close"), N_("Close them at Stripe"), "card"),
    "stripe.partial_payment_untold": Kind(
        N_("Part payments that Stripe does not know"), N_("Tell Stripe by hand"), "card"
    ),
    "stripe.key_rejected": Kind(N_("Stripe refuses our key"), N_("Enter a key that works"), "card"),
    "statement.waiting": Kind(
        N_("Bank lines that wait"), N_("Say which invoice they pay"), "bank", place="/payments/statements/waiting"
    ),
    "sender.not_ready": Kind(N_("The mail relay cannot be used"), N_("Look at the sender"), "send"),
    "mailing.unknown": Kind(N_("Statements and thanks in doubt"), N_("Look whether they left"), "letter"),
    "mailing.failed": Kind(N_("Statements and thanks refused"), N_("Look why"), "letter", "here"),
    "mailing.poisoned": Kind(N_("Statements and thanks that cannot be written"), N_("Look why"), "letter", "here"),
    "approval.waiting": Kind(
        N_("Acts that take a second person"), N_("Say yes or no at Approvals"), "shield", place="/approvals"
    ),
    "job.failed": Kind(N_("Jobs that fail"), N_("Look at Operations"), "operation"),
    "job.abandoned": Kind(N_("Jobs that never ended"), N_("Look at Operations"), "operation"),
}
"""In the order in which a person should look at them."""
ORDER = {kind: place for place, kind in enumerate(KINDS)}


def kind_of(name: str) -> Kind:
    """The words for a kind; one that has none yet is shown by its own name."""
    return KINDS.get(name) or Kind(name, N_("Look at Operations"), ends="here")


def in_order(open_ones: Iterable[OpenNotices]) -> list[OpenNotices]:
    """What a person should look at first comes first."""
    return sorted(open_ones, key=lambda one: (ORDER.get(one.kind, len(ORDER)), one.kind))
