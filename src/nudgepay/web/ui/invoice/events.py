"""One row of one section as what happened: an icon, a sentence, who, when. Words only; nothing is read here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nudgepay.invoices.models import Invoice
from nudgepay.web.ui.invoice.actors import Actors
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.reasons import meaning
from nudgepay.web.ui.rendering import day, money
from nudgepay.web.ui.words import N_

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story. `text` is data of other people: the template escapes it.

    `letter`, `message`, `fact`: the row itself, for what the line offers; `others`: what else is in a letter.
    """

    at: datetime
    icon: str
    title: str
    tone: str = ""
    text: str = ""
    who: str = ""
    letter: Row | None = None
    message: Row | None = None
    fact: Row | None = None
    until: datetime | None = None
    others: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class Teller:
    """What every sentence needs. `doers`: who did what, by (subject, action)."""

    page: Page
    invoice: Invoice
    actors: Actors
    doers: Mapping[tuple[str, str], str]

    def gettext(self, text: str, **values: object) -> str:
        """A sentence in the person's language."""
        return self.page.gettext(text) % values if values else self.page.gettext(text)

    def because(self, reason: str) -> str:
        """What a reason of silence means."""
        words = meaning(reason)
        return self.page.gettext(words)

    def money(self, minor: int, currency: str | None = None) -> str:
        """An amount as the person writes it."""
        return money(minor, currency or self.invoice.currency, self.page)

    def day(self, value: Any) -> str:
        """A day as the person writes it."""
        return day(value, self.page).striptags()

    def doer(self, subject: str, action: str) -> str:
        """Who did it, by name."""
        return self.actors.name(self.doers.get((subject, action)))


FACTS: Mapping[str, tuple[str, str, str]] = {
    "payment": ("card", "ok", N_("Payment of %(amount)s")),
    "manual": ("bank", "ok", N_("Payment of %(amount)s, recorded by hand")),
    "credit": ("money", "ok", N_("Credit of %(amount)s")),
    "refund": ("undo", "warn", N_("Refund of %(amount)s")),
    "chargeback": ("undo", "bad", N_("Chargeback of %(amount)s")),
}
RESOLUTIONS = {
    "accepted": N_("Dispute settled: the payer is right"),
    "rejected": N_("Dispute settled: all of it is owed"),
    "withdrawn": N_("Dispute withdrawn"),
}
PROMISES = {
    "kept": ("ok", N_("Promise kept")),
    "partially_kept": ("warn", N_("Promise kept in part")),
    "broken": ("bad", N_("Promise broken")),
    "renegotiated": ("", N_("Promise replaced by a new one")),
    "cancelled": ("", N_("Promise cancelled")),
}
REVIEWS = {
    "refund": N_("A refund reopened it"),
    "chargeback": N_("A chargeback reopened it"),
    "wrong_amount": N_("Another amount came than was asked for"),
    "wrong_currency": N_("Money came in another currency"),
    "wrong_mode": N_("A payment in Stripe's test mode names it"),
    "wrong_account": N_("A payment of another Stripe account names it"),
    "paid_at_stripe": N_("Stripe calls it paid, the books do not"),
}
SUPPRESSIONS = {
    "unsubscribed": N_("%(address)s wants no more reminders"),
    "bounced": N_("%(address)s does not exist"),
    "complained": N_("%(address)s called a letter spam"),
    "manual": N_("%(address)s is not to be written to"),
}


def of_fact(tell: Teller, row: Row) -> Iterator[Event]:
    """Money that came or went; how much of it counts here, and whether it was taken back."""
    icon, tone, text = FACTS[row["kind"]]
    shown = row["allocated"] or row["amount"]
    notes = [row["note"] or ""]
    if row["occurred_at"].date() != row["recorded_at"].date():
        notes.insert(0, tell.gettext("It came on %(day)s", day=tell.day(row["occurred_at"].date())))
    if row["voided_at"] is None and row["problem"] is None and row["allocated"] < row["amount"]:
        total, part = tell.money(row["amount"], row["currency"]), tell.money(row["allocated"], row["currency"])
        notes.insert(0, tell.gettext("%(part)s of %(total)s count for this invoice", part=part, total=total))
    if row["problem"]:
        notes.insert(0, tell.gettext("It does not count: %(problem)s", problem=row["problem"].replace("_", " ")))
    yield Event(
        row["recorded_at"],
        icon,
        tell.gettext(text, amount=tell.money(shown, row["currency"])),
        "" if row["voided_at"] or row["problem"] else tone,
        " · ".join(note for note in notes if note),
        tell.actors.name(row["actor"]),
        fact=row,
    )
    if row["voided_at"]:
        doer = tell.doer(f"money_facts:{row['id']}", f"{row['kind']}.void")
        title = tell.gettext("Taken back: %(amount)s", amount=tell.money(row["amount"], row["currency"]))
        yield Event(row["voided_at"], "undo", title, "warn", who=doer)


def of_checkout(tell: Teller, row: Row) -> Iterator[Event]:
    """A payer pressed the button on the pay page."""
    if row["succeeded_at"]:
        outcome = tell.gettext("It succeeded.")
    elif row["failed_at"]:
        outcome = tell.gettext("It failed.")
    elif row["completed_unpaid_at"]:
        outcome = tell.gettext("The money is on its way.")
    elif row["expired_at"]:
        outcome = tell.gettext("It was not finished.")
    else:
        outcome = tell.gettext("It is not finished yet.")
    title = tell.gettext(
        "Payment of %(amount)s begun on the pay page", amount=tell.money(row["amount"], row["currency"])
    )
    yield Event(row["created_at"], "card", title, text=outcome, who=tell.gettext("the payer"))


def of_reminder(tell: Teller, row: Row) -> Iterator[Event]:
    """A step that did not leave, or waits, and why."""
    step = tell.gettext("The nudge by hand") if row["nudge_key"] else tell.gettext("Step %(step)s", step=row["step"])
    if row["state"] == "skipped" and row["reason"]:
        title = tell.gettext("%(step)s was skipped", step=step)
        yield Event(row["updated_at"], "skip", title, text=tell.because(row["reason"]))
    elif row["state"] == "planned" and row["held_reason"]:
        title = tell.gettext("%(step)s waits", step=step)
        yield Event(row["updated_at"], "hold", title, "warn", tell.because(row["held_reason"]))
    elif row["state"] == "cancelled":
        yield Event(row["updated_at"], "skip", tell.gettext("%(step)s was cancelled", step=step))


def of_promise(tell: Teller, row: Row) -> Iterator[Event]:
    """A day that somebody named, and what came of it."""
    subject = f"promises:{row['id']}"
    values = {"amount": tell.money(row["amount"]), "day": tell.day(row["promised_on"])}
    yield Event(
        row["made_at"],
        "promise",
        tell.gettext("Promised to pay %(amount)s by %(day)s", **values),
        who=tell.doer(subject, "promise.make"),
    )
    if row["settled_at"]:
        tone, title = PROMISES[row["state"]]
        doer = tell.doer(subject, f"promise.{row['state']}")
        yield Event(row["settled_at"], "promise", tell.gettext(title), tone, who=doer)


def of_dispute(tell: Teller, row: Row) -> Iterator[Event]:
    """An objection in the payer's words, and how it ended."""
    part = row["amount"] is not None
    title = (
        tell.gettext("%(amount)s disputed", amount=tell.money(row["amount"]))
        if part
        else tell.gettext("All of it disputed")
    )
    doer = tell.doer(f"disputes:{row['id']}", "dispute.open")
    yield Event(row["opened_at"], "dispute", title, "warn", row["message"] or "", doer)
    if row["resolved_at"]:
        ended = RESOLUTIONS.get(row["resolution"], N_("Dispute settled"))
        yield Event(row["resolved_at"], "dispute", tell.gettext(ended), who=tell.actors.name(row["resolved_by"]))


def of_claim(tell: Teller, row: Row) -> Iterator[Event]:
    """The payer says that it is paid."""
    who = tell.gettext("the payer")
    yield Event(row["claimed_at"], "money", tell.gettext("Says that it is paid"), "", who=who, until=row["until"])


def of_review(tell: Teller, row: Row) -> Iterator[Event]:
    """A doubt about its money, and how a person settled it."""
    doubt = REVIEWS.get(row["reason"], N_("There is a doubt about its money"))
    yield Event(
        row["opened_at"],
        "warn",
        tell.gettext(doubt),
        "bad",
        tell.gettext("Its letters wait until a person settles it."),
    )
    if row["resolved_at"]:
        who = tell.actors.name(row["resolved_by"])
        yield Event(
            row["resolved_at"], "check", tell.gettext("The doubt was settled"), "ok", row["resolution"] or "", who
        )


def of_message(tell: Teller, row: Row) -> Iterator[Event]:
    """A thank-you or a statement of account."""
    title = tell.gettext("Thank-you") if row["kind"] == "thanks" else tell.gettext("Statement of account")
    if row["sending_at"]:
        yield Event(row["sending_at"], "letter", title, text=row["subject"] or "", message=row)


def of_suppression(tell: Teller, row: Row) -> Iterator[Event]:
    """An address that must not be written to."""
    blocked = SUPPRESSIONS[row["reason"]]
    title = tell.gettext(blocked, address=row["address"])
    yield Event(row["created_at"], "bounce", title, "bad")
    if row["lifted_at"]:
        lifted = tell.gettext("%(address)s may be written to again", address=row["address"])
        yield Event(row["lifted_at"], "letter", lifted, "ok", who=tell.actors.name(row["lifted_by"]))


TELLERS: Mapping[str, Callable[[Teller, Row], Iterator[Event]]] = {
    "money_facts": of_fact,
    "checkouts": of_checkout,
    "reminders": of_reminder,
    "promises": of_promise,
    "disputes": of_dispute,
    "payment_claims": of_claim,
    "reviews": of_review,
    "messages": of_message,
    "statements": of_message,
    "suppressions": of_suppression,
}
