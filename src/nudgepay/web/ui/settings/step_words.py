"""The first steps in words: what each is, why it matters, where it is done."""

from dataclasses import dataclass

from nudgepay.web.ui.words import N_


@dataclass(frozen=True, slots=True)
class StepWords:
    """`done` is said of a step that is done. `path` leads to a page of ours; `command` is for a shell."""

    title: str
    why: str
    done: str
    path: str = ""
    link: str = ""
    command: str = ""


STEPS: dict[str, StepWords] = {
    "operator": StepWords(
        N_("Let people in"),
        N_("Everybody who works here signs in by their own name, so that the books can say who did what."),
        N_("Somebody can sign in."),
        command="nudgepay operators add EMAIL --role manager",
    ),
    "business": StepWords(
        N_("Say who you are"),
        N_("Name and postal address stand under each letter. A reader who cannot see who asks does not pay."),
        N_("Letters say who writes."),
        path="/settings",
        link=N_("Look at the business"),
        command="BUSINESS_NAME=… BUSINESS_ADDRESS=…",
    ),
    "payment": StepWords(
        N_("Say how you are paid"),
        N_("A letter that can be paid at once is paid sooner: bank details, cards through Stripe, or both."),
        N_("Payers know where the money goes."),
        path="/settings/stripe",
        link=N_("Look at card payments"),
        command="BUSINESS_IBAN=… STRIPE_SECRET_KEY_FILE=… STRIPE_WEBHOOK_SECRET_FILE=…",
    ),
    "sender": StepWords(
        N_("Make your letters credible"),
        N_("Without SPF, DKIM and DMARC a reminder ends among the spam, and nobody tells you."),
        N_("Relay and DNS were looked at, and nothing is wrong."),
        path="/settings/sender",
        link=N_("Look at the sender"),
        command="nudgepay doctor",
    ),
    "books": StepWords(
        N_("Bring your invoices"),
        N_("The export of your accounting program is enough. What is overdue already waits for your word."),
        N_("There are invoices."),
        path="/import",
        link=N_("Import a file"),
        command="nudgepay import invoices.csv --dry-run",
    ),
    "rehearsal": StepWords(
        N_("Rehearse before anything leaves"),
        N_("Read the plan, and run the drill: it writes the first letters into files and sends none."),
        N_("It was rehearsed, or letters went out already."),
        path="/plan",
        link=N_("Look at the plan"),
        command="nudgepay drill cutover invoices.csv --keep letters",
    ),
    "digest": StepWords(
        N_("Hear from it every morning"),
        N_("The digest says what came in, what goes out next and what needs you, before the first coffee is cold."),
        N_("The digest has a reader."),
        path="/settings",
        link=N_("Look at the settings"),
        command="DIGEST_RECIPIENTS=…",
    ),
    "worker": StepWords(
        N_("Start a worker"),
        N_("The worker does the work: it plans, sends, reads bounces and books payments. Without one nothing moves."),
        N_("A worker is running."),
        path="/operations",
        link=N_("Look at the workers"),
        command="nudgepay worker",
    ),
    "sending": StepWords(
        N_("Switch sending on"),
        N_("A first start is paused on purpose. Look at what would go out, then let it go."),
        N_("Letters may leave."),
        path="/operations/sending",
        link=N_("Look at what would go out"),
        command='nudgepay sending resume --reason "looked at the plan"',
    ),
    "amnesty": StepWords(
        N_("Release what was overdue before"),
        N_("Nobody is chased for the past by surprise: you decide, all at once or one by one."),
        N_("Nothing waits for your word."),
        path="/plan",
        link=N_("Look at what waits"),
        command="nudgepay amnesty list",
    ),
}
"""By the key of `readiness.getting_started.FIRST_STEPS`."""
