"""Every kind of notice in words: what happened, what it means, what to do, and where."""

from dataclasses import dataclass

from nudgepay.web.ui.words import N_


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """`place` leads to the thing: a path in which the one name in braces, such as `{invoice}`, stands for its id."""

    title: str
    meaning: str
    cure: str
    tone: str = "warn"
    place: str = ""
    link: str = ""
    command: str = ""


_INVOICE, _CLIENT, _LETTER = "/invoices/{invoice}", "/clients/{client}", "/letters/{letter}"
_OPEN_INVOICE, _OPEN_CLIENT, _OPEN_LETTER = N_("Open the invoice"), N_("Open the client"), N_("Open the letter")
_STRIPE, _OPEN_STRIPE = "/settings/stripe", N_("Look at Stripe")
_SENDER, _OPEN_SENDER = "/settings/sender", N_("Look at the sender")
_JOB, _OPEN_JOB = "/operations/jobs/{job}", N_("Look at the job")

NOTICES: dict[str, NoticeWords] = {
    "letter.unknown": NoticeWords(
        N_("Nobody knows whether a letter left"),
        N_(
            "The connection to the relay broke at the worst moment. It is not sent again by itself, and the "
            "client hears nothing more until this is settled."
        ),
        N_("Look into the relay's log, or ask the client; then say whether it left."),
        tone="bad",
        place=_LETTER,
        link=_OPEN_LETTER,
    ),
    "letter.failed": NoticeWords(
        N_("The relay refused a letter for good"),
        N_("It was certainly not sent. The relay's answer says why."),
        N_("Correct what the relay complains about, then try the letter once more."),
        tone="bad",
        place=_LETTER,
        link=_OPEN_LETTER,
    ),
    "letter.bounced": NoticeWords(
        N_("A letter came back"),
        N_(
            "It left, but the receiver's server gave it back: the mailbox is full, or refused it for now. The"
            " address stays in use."
        ),
        N_("If it happens again, ask the client for another address."),
        place=_LETTER,
        link=_OPEN_LETTER,
    ),
    "letter.poisoned": NoticeWords(
        N_("A letter cannot be written"),
        N_("Its text, its amounts or its address break a rule. The client's letters wait; everybody else's go on."),
        N_("Correct the client, its contacts or the template. It closes itself when the letter can be written."),
        tone="bad",
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "planning.failed": NoticeWords(
        N_("An invoice cannot be planned"),
        N_("Its dates or its client's time zone make no sense together with its schedule."),
        N_("Correct its dates, or choose another schedule."),
        tone="bad",
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "audit.broken": NoticeWords(
        N_("The audit log was changed"),
        N_(
            "A record is not what was sealed, or is gone. Somebody changed the database past NudgePay, or it is"
            " damaged."
        ),
        N_("Keep the database as it is, verify once more at the command line, and compare with a backup."),
        tone="bad",
        place="/audit",
        link=N_("Look at the audit log"),
        command="nudgepay audit verify",
    ),
    "text.failing": NoticeWords(
        N_("A text of yours cannot be used"),
        N_("Letters that need it are held one by one; all others go. They go too as soon as the text is corrected."),
        N_("Look at the preview of the text with the invoice that is held, and correct it."),
        tone="bad",
        place="/templates",
        link=N_("Look at the texts"),
    ),
    "sender.not_ready": NoticeWords(
        N_("The mail relay cannot be used"),
        N_(
            "Nothing is lost: due letters wait, and go when the relay answers again. This closes itself with "
            "the next letter."
        ),
        N_("Check the relay and its password; look at the sender."),
        tone="bad",
        place=_SENDER,
        link=_OPEN_SENDER,
    ),
    "contact.bounced": NoticeWords(
        N_("An address does not exist"),
        N_(
            "Letters to it come back for good, so none go there any more. Another contact of the client is "
            "written to, if there is one."
        ),
        N_("Ask the client for a working address, correct it and lift the block."),
        tone="bad",
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "contact.complained": NoticeWords(
        N_("A reader called a letter spam"),
        N_("Nothing goes to the address any more. A few of these make a mail provider block you altogether."),
        N_("Call the client. Lift the block only when the person has agreed."),
        tone="bad",
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "contact.unsubscribed": NoticeWords(
        N_("A reader wants no more reminders"),
        N_("Nothing goes to the address any more. The invoice is still owed."),
        N_("Reach the client in another way, or name another contact."),
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "contact.manual": NoticeWords(
        N_("An address was blocked by hand"),
        N_("Somebody here decided that nothing goes to it any more."),
        N_("Nothing, if that was meant. Else lift the block."),
        tone="info",
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "contact.wrong_person": NoticeWords(
        N_("The wrong person was written to"),
        N_("The reader says that they are not the one for these invoices. Nothing more goes to them."),
        N_("Ask the client who is, and name that contact."),
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "dispute.opened": NoticeWords(
        N_("A payer says that something is wrong"),
        N_("The disputed part is not asked for until you have answered."),
        N_("Read what the payer wrote and resolve the dispute: accepted, rejected or withdrawn."),
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "promise.broken": NoticeWords(
        N_("A promised day has passed without the money"),
        N_("Its grace is over too, so the reminders go on by themselves."),
        N_("A call helps more than another letter."),
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "payment.claimed": NoticeWords(
        N_("A payer says that it is paid"),
        N_("The books do not have the money. Reminders are silent for the days granted, then they go on."),
        N_("Look at your bank account; record the payment if it is there."),
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "payment.needs_review": NoticeWords(
        N_("There is a doubt about money"),
        N_("What Stripe told does not fit the books. The invoice is not asked for until a person has decided."),
        N_("Compare the payment with the invoice and settle the doubt."),
        tone="bad",
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "payment.unapplied_credit": NoticeWords(
        N_("Money is left over"),
        N_("A client paid more than was open. It is kept as credit and asked for by nobody."),
        N_("Apply it to another invoice of the client, or pay it back."),
        place=_CLIENT,
        link=_OPEN_CLIENT,
    ),
    "approval.waiting": NoticeWords(
        N_("An act waits for a second person"),
        N_("Somebody asked for something that one person may not do alone. It ends by itself within an hour."),
        N_("Look at what exactly would happen, then say yes or no."),
        tone="info",
        place="/approvals",
        link=N_("Look at the request"),
    ),
    "statement.waiting": NoticeWords(
        N_("Bank lines wait for your decision"),
        N_("A statement was imported. Nothing is booked before you agree."),
        N_("Go through the proposals, accept or dismiss each. It closes itself with the last one."),
        command="nudgepay statements list",
    ),
    "mailing.unknown": NoticeWords(
        N_("Nobody knows whether a message left"),
        N_(
            "Thanks, a digest, a copy or a statement was on its way when the connection broke. It is not sent"
            " again by itself."
        ),
        N_("Say that it left, or order it again."),
        command="nudgepay mailings list",
    ),
    "mailing.failed": NoticeWords(
        N_("The relay refused a message for good"),
        N_("Thanks, a digest, a copy or a statement was certainly not sent."),
        N_("Correct what the relay complains about, then order it again."),
        command="nudgepay mailings list",
    ),
    "mailing.poisoned": NoticeWords(
        N_("A message cannot be written"),
        N_("Thanks, a digest, a copy or a statement breaks a rule. It is tried again each day."),
        N_("The error says what to correct."),
        command="nudgepay mailings list",
    ),
    "sign_in.attack": NoticeWords(
        N_("Somebody guesses a password"),
        N_(
            "An operator's account had many wrong tries in a day. No more than 20 a day are looked at; in browsers"
            " in which the person signed in before, signing in goes on as ever."
        ),
        N_("Ask the person whether it was them. If not, see to a second factor. It closes itself after a calm day."),
        tone="bad",
        place="/operators/{operator}/sessions",
        link=N_("Look at the sessions"),
    ),
    "sign_in.flood": NoticeWords(
        N_("Many wrong sign-ins from everywhere"),
        N_("New browsers have to wait until it is over; those in which somebody signed in before do not."),
        N_("See in the audit log where they come from; block those networks before they reach NudgePay."),
        tone="bad",
        command="nudgepay notices resolve sign_in.flood",
    ),
    "job.failed": NoticeWords(
        N_("A job keeps failing"),
        N_(
            "Its work waits and is not lost; whatever depends on it is late. This closes itself with its next"
            " good run."
        ),
        N_("Look at its last runs; its runbook says what to check."),
        tone="bad",
        place=_JOB,
        link=_OPEN_JOB,
    ),
    "job.abandoned": NoticeWords(
        N_("A run began and never ended"),
        N_("Its worker was killed or lost its database. The next run does the work again; nothing is done twice."),
        N_("If it happens again, look at the machine's memory and at the worker's log."),
        place=_JOB,
        link=_OPEN_JOB,
    ),
    "stripe.foreign_event": NoticeWords(
        N_("Stripe told of something that is not yours"),
        N_("An event of another mode or another account arrived. Nothing of it was booked."),
        N_("Check which account and mode the webhook endpoint and the key belong to."),
        place=_STRIPE,
        link=_OPEN_STRIPE,
    ),
    "stripe.event_parked": NoticeWords(
        N_("An event could not be booked"),
        N_(
            "It was tried many times and given up. A payment may be missing from the books until the next comparison."
        ),
        N_("Look at the event in Stripe's dashboard; record what is missing by hand."),
        tone="bad",
        place=_STRIPE,
        link=_OPEN_STRIPE,
    ),
    "stripe.drift": NoticeWords(
        N_("Stripe and the books differ"),
        N_("The books hold something that Stripe tells differently, or does not know."),
        N_("Look the object up in Stripe's dashboard. It closes itself when both agree again."),
        tone="bad",
        place=_STRIPE,
        link=_OPEN_STRIPE,
    ),
    "stripe.unknown_payment": NoticeWords(
        N_("A payment that nobody ordered"),
        N_(
            "Stripe tells of a paid checkout that claims to be ours and is in no book, for example of a "
            "restored backup."
        ),
        N_("Look the payment up in Stripe's dashboard; record it by hand, or pay it back."),
        tone="bad",
        place=_STRIPE,
        link=_OPEN_STRIPE,
    ),
    "stripe.key_rejected": NoticeWords(
        N_("Stripe refuses the key"),
        N_("Nobody can pay by card until it works again. Bank transfer still does."),
        N_("Set a valid STRIPE_SECRET_KEY. It closes itself with the next payment that begins."),
        tone="bad",
        place=_STRIPE,
        link=_OPEN_STRIPE,
    ),
    "stripe.invoice_not_closed": NoticeWords(
        N_("Stripe does not let its invoice be closed"),
        N_("It is paid here and open there: Stripe might go on asking for it."),
        N_("Close it by hand in Stripe's dashboard."),
        tone="bad",
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
    "stripe.partial_payment_untold": NoticeWords(
        N_("Part of a Stripe invoice was paid here"),
        N_("Stripe takes no word of a part payment, so there it is still open in full."),
        N_("Correct the invoice in Stripe's dashboard, so that it does not ask for too much."),
        place=_INVOICE,
        link=_OPEN_INVOICE,
    ),
}
UNKNOWN = NoticeWords(
    N_("Something needs a person"),
    N_("This version has no words for this kind of notice."),
    N_("Its details say what is known."),
    command="nudgepay notices",
)
"""For what a newer version may have left behind."""

DETAILS: dict[str, str] = {
    "reason": N_("Reason"),
    "error": N_("Error"),
    "record": N_("Record"),
    "cause": N_("Cause"),
    "code": N_("The relay's answer"),
    "status": N_("Status"),
    "fault": N_("What differs"),
    "type": N_("Event"),
    "object": N_("Object"),
    "id": N_("At Stripe"),
    "stripe_invoice": N_("Stripe invoice"),
    "job": N_("Job"),
    "kind": N_("Message"),
}
"""Details that tell a person something."""
VALUES: dict[str, str] = {
    "wrong_amount": N_("another amount than was asked for"),
    "wrong_currency": N_("another currency than was asked for"),
    "wrong_client": N_("another client's"),
    "wrong_mode": N_("test and live are mixed up"),
    "wrong_account": N_("another Stripe account"),
    "refund": N_("a refund reopened the balance"),
    "chargeback": N_("a chargeback reopened the balance"),
    "paid_at_stripe": N_("paid at Stripe without a payment in the books"),
    "unknown_at_stripe": N_("Stripe does not know it"),
    "other_amount_at_stripe": N_("Stripe names another amount"),
    "thanks": N_("thanks"),
    "digest": N_("digest"),
    "copy": N_("copy of a letter"),
    "statement": N_("statement of account"),
}
"""Codes in those details, in words."""
