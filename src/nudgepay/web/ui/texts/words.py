"""What the texts, their variables and every remark about them are called, to be translated where they are shown."""

from nudgepay.web.ui.words import N_

TEXTS: dict[str, tuple[str, str]] = {
    "before_due": (N_("Before it is due"), N_("A note ahead of the day, so that nobody is surprised.")),
    "due": (N_("On the day"), N_("The day has come; most pay with this one.")),
    "overdue": (N_("Overdue"), N_("It was not paid: friendly or firm, as the step says.")),
    "final": (N_("Final reminder"), N_("The last letter of a sequence.")),
    "manual": (N_("By hand"), N_("What a person sends with “Nudge now”.")),
}
"""Name and purpose of each text, in the order of a sequence."""

VARIABLES: dict[str, str] = {
    "name": N_("The reader’s name"),
    "business": N_("Your business’s name"),
    "number": N_("Number of the leading invoice"),
    "numbers": N_("Numbers of all invoices that the text speaks for"),
    "count": N_("How many invoices the text speaks for"),
    "total": N_("What is claimed for them"),
    "amount": N_("What they were issued for"),
    "received": N_("What was received for them, or nothing"),
    "contested": N_("What is under review, or nothing"),
    "issued_on": N_("The leading invoice’s date"),
    "due_on": N_("The day on which it was or is due"),
    "days_overdue": N_("Days overdue: 0 on the day, negative before it"),
    "others": N_("How many further invoices the letter lists"),
    "tone": N_("friendly, firm or final"),
}

FINDINGS: dict[str, str] = {
    "link": N_(
        "There is a link, a web or mail address in it. Remove it: the way to pay is added by itself, and readers take"
        " any other link for a fraud."
    ),
    "account": N_("There is an account number in it. Remove it: yours is added from the settings."),
    "markup": N_("There is HTML in it. Remove it: letters show text as it stands."),
    "hidden": N_("There is an invisible control character in it. Type the text anew at that place."),
    "empty": N_("This is empty."),
    "variable": N_("There is no variable “%(about)s”. The list below has all there are."),
    "liquid": N_("This cannot be read as a template: %(about)s."),
    "sometimes_empty": N_("It comes out empty for some letters."),
    "subject_endless": N_("The subject is too long to be sent."),
    "no_amount": N_("The text names no amount ({{ total }}). The table below it does."),
    "no_number": N_("Neither subject nor text names the invoice ({{ number }})."),
    "subject_long": N_("The subject is longer than %(about)s characters: mail programs cut it off, phones earlier."),
    "shouts": N_("It shouts: capitals or “!!” look like spam."),
    "greets_twice": N_("It seems to greet the reader. Every letter begins with a greeting already."),
}
