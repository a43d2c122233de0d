"""`nudgepay letters`, `nudgepay unknown` and `nudgepay review`: look, and settle what a person must."""

from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json

app = typer.Typer(help="What was written, to whom, and what became of it.")
unknown = typer.Typer(no_args_is_help=True, help="Letters of which nobody can say whether they were taken.")
review = typer.Typer(no_args_is_help=True, help="Letters that a person reads before they go.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
LetterId = Annotated[str, typer.Argument(help="The letter's id or its Message-ID.")]


@app.callback(invoke_without_command=True)
def letters(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only letters in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """The newest letters first."""
    from nudgepay.money import format_money
    from nudgepay.nudges.letters import list_letters

    if context.invoked_subcommand is not None:
        return
    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = list_letters(session, state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    for one in found:
        amount = format_money(one["amount"], one["currency"], "en")
        names = ", ".join(one["invoices"])
        print(f"{one['sending_at']:%Y-%m-%d %H:%M}  {one['state']:<9}  {one['to']}  {amount}  {names}")
        print(f"    {one['letter_id']}  {one['subject']}")


@app.command()
def retry(letter_id: LetterId) -> None:
    """Try a failed letter once more, under the same Message-ID."""
    from nudgepay.nudges.unknowns import letter_id_of, retry_failed

    with open_runtime() as runtime, runtime.db.transaction() as session:
        retry_failed(session, letter_id_of(letter_id), now=instant(None), actor=actor())
    print("It is planned again: nudgepay nudge run")


@unknown.command("list")
def list_(as_json: Json = False) -> None:
    """Every letter in doubt, oldest first."""
    from nudgepay.nudges.unknowns import list_unknown

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = list_unknown(session)
    if as_json:
        print_json(found)
        return
    for one in found:
        print(
            f"{one['letter_id']}  to {one['to']}  since {one['since']:%Y-%m-%d %H:%M}  {', '.join(one['invoices'])}"
        )
    if not found:
        print("No letter is in doubt.")


@unknown.command()
def resolve(
    letter_id: LetterId,
    sent: Annotated[bool, typer.Option("--sent", help="It did leave: count it as accepted.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send it again; it may arrive twice.")] = False,
) -> None:
    """A person's word on one letter in doubt."""
    from nudgepay.errors import UsageError
    from nudgepay.nudges.unknowns import letter_id_of, mark_accepted, order_resend

    if sent == resend:
        raise UsageError("say either --sent or --resend")
    now, chosen = instant(None), letter_id_of(letter_id)
    with open_runtime() as runtime, runtime.db.transaction() as session:
        if sent:
            mark_accepted(session, chosen, accepted_at=now, now=now, actor=actor(), source="a person")
        else:
            order_resend(session, chosen, now=now, actor=actor())
    print("It counts as accepted." if sent else "It is planned again, as a new letter: nudgepay nudge run")


@review.command("list")
def list_reviews(as_json: Json = False) -> None:
    """What waits for a reader, with the letters as they would be written now."""
    from nudgepay.nudges.reviews import waiting_reviews
    from nudgepay.nudges.terms import terms_of

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = waiting_reviews(session, terms=terms_of(runtime.settings), now=instant(None))
    if as_json:
        print_json(found)
        return
    for one in found:
        print(f"{one['reminder_id']}  {one['invoice']} {one['step']} ({one['client']})")
        print(one["text"] or "    something else holds it even when it is approved: nudgepay plan")
    if not found:
        print("Nothing waits for a reader.")


@review.command()
def approve(reminder_id: Annotated[int, typer.Argument(help="As `review list` shows it.")]) -> None:
    """This letter may go."""
    from nudgepay.nudges.reviews import approve_review

    with open_runtime() as runtime, runtime.db.transaction() as session:
        approve_review(session, reminder_id, now=instant(None), actor=actor())
    print("Approved: it goes with the next pass.")
