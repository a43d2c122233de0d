"""What each reason of silence means, and what ends it, in words for a person. The lists are the engine's own."""

from nudgepay.web.ui.words import N_

MEANINGS: dict[str, tuple[str, str]] = {
    "paid": (N_("Nothing is owed any more"), ""),
    "voided": (N_("The invoice was voided"), ""),
    "uncollectible": (N_("The invoice was written off"), ""),
    "credited": (N_("A credit took its place"), ""),
    "already_sent": (N_("This step has left before"), ""),
    "superseded": (N_("A later step fits better now"), ""),
    "past_terminal_step": (N_("The last step has left; the sequence is over"), ""),
    "currency_mismatch": (N_("The books contradict themselves about the currency"), ""),
    "amnesty": (N_("Imported when it was already overdue"), N_("until you release it")),
    "needs_review": (N_("There is a doubt about its money"), N_("until you settle it")),
    "reminders_off": (N_("Reminders are switched off"), N_("until you switch them on")),
    "autopay": (N_("It is debited automatically"), N_("until the debit has failed for good")),
    "disputed": (N_("The whole remainder is disputed"), N_("until the dispute is resolved")),
    "payment_in_flight": (N_("A payment is on its way"), N_("until it arrives or fails")),
    "payment_claimed": (N_("The payer says that it is paid"), N_("until the days granted are over")),
    "promised_until": (N_("The payer promised a day"), N_("until that day and its grace are over")),
    "paused_until": (N_("Reminders are paused"), N_("until the pause ends")),
    "below_tolerance": (N_("Too little is owed for a letter"), N_("while it is below the tolerance")),
    "review": (N_("You wanted to read this letter first"), N_("until you approve it")),
    "no_recipient": (N_("There is nobody to write to"), N_("until the client has a contact")),
    "wrong_person": (N_("The contact is the wrong person"), N_("until the right one is named")),
    "contact_bounced": (N_("The address does not exist"), N_("until it is corrected")),
    "contact_complained": (N_("The reader called a letter spam"), N_("until the block is lifted by hand")),
    "opted_out": (N_("The reader wants no reminders"), N_("until the person opts in again")),
    "letter_unknown": (N_("An earlier letter may or may not have left"), N_("until that is settled")),
    "balance_stale": (N_("Payment events are waiting to be booked"), N_("until they are booked")),
    "template_error": (N_("Its text or address cannot be used"), N_("until that is corrected")),
    "sender_not_ready": (N_("The mail relay cannot be used"), N_("until it answers again")),
    "sending_paused": (N_("All sending is paused"), N_("until you resume it")),
    "contact_gap": (N_("This person had a letter a short while ago"), N_("until enough days have passed")),
    "outside_window": (N_("It is outside the reader's office hours"), N_("until they open")),
    "holiday": (N_("It is no working day, for the reader or here"), N_("until the next working day")),
}


def meaning(reason: str) -> str:
    """Why nothing went out, to be translated where it is shown: `_(reason | meaning)`."""
    return MEANINGS[reason][0]


def remedy(reason: str) -> str:
    """What ends a hold, to be translated where it is shown; empty for a final reason."""
    return MEANINGS[reason][1]
