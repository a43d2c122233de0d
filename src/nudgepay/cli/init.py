"""`nudgepay init`: from nothing to an installation that `config check` accepts."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nudgepay.cli.context import print_json

Text = Annotated[str | None, typer.Option()]


def init(
    directory: Annotated[Path, typer.Option(help="Where secrets, environment file and units go.")] = Path("nudgepay"),
    base_url: Annotated[str | None, typer.Option(help="https://pay.example.com, as payers reach it.")] = None,
    business: Annotated[str | None, typer.Option(help="The business's name.")] = None,
    from_email: Annotated[str | None, typer.Option(help="Sender of letters.")] = None,
    admin_email: Annotated[str | None, typer.Option(help="The first operator, who gets the digest too.")] = None,
    database_url: Annotated[str | None, typer.Option(help="postgresql://user@host/name?sslmode=verify-full")] = None,
    smtp_host: Annotated[str | None, typer.Option(help="Your mail relay.")] = None,
    smtp_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 587,
    smtp_security: Annotated[
        str, typer.Option(help="starttls, tls, or none for a relay on this machine.")
    ] = "starttls",
    smtp_username: Text = None,
    timezone: Annotated[str, typer.Option(help="IANA zone of the business.")] = "Europe/Berlin",
    country: Annotated[str, typer.Option(help="ISO country of the business.")] = "DE",
    locale: Annotated[str, typer.Option(help="Language of the business.")] = "en",
    iban: Annotated[str | None, typer.Option(help="Account for bank transfers.")] = None,
    environment: Annotated[str, typer.Option(help="production or staging.")] = "production",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the first operator's password from standard input.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Strong secrets as files, an environment file, systemd units, the first operator. Keeps what is there."""
    import shutil

    from nudgepay.readiness.first_steps import Answers, read_environment, take_first_steps

    answers = Answers(
        base_url=_asked("base URL, such as https://pay.example.com", base_url, "--base-url"),
        business_name=_asked("name of the business", business, "--business"),
        from_email=_asked("sender of letters", from_email, "--from-email"),
        admin_email=_asked("your own address", admin_email, "--admin-email"),
        database_url=_asked("PostgreSQL URL", database_url, "--database-url", hidden=True),
        smtp_host=_asked("mail relay", smtp_host, "--smtp-host"),
        smtp_port=smtp_port,
        smtp_security=smtp_security,
        smtp_username=smtp_username,
        timezone=timezone,
        country=country.upper(),
        locale=locale,
        iban=iban,
        environment=environment,
    )
    password, made_up = _password(password_stdin)
    command = Path(shutil.which("nudgepay") or sys.argv[0]).resolve()
    steps = take_first_steps(directory, answers, password=password, command=command)
    problems = _problems(read_environment(directory))
    document = {
        "files": [{"path": str(step.path), "new": step.is_new} for step in steps],
        "problems": problems,
        "password": password
        if made_up and any(s.is_new for s in steps if s.path.name.startswith("admin_"))
        else None,
    }
    if as_json:
        print_json(document)
        return
    _show(document, directory)


def _asked(what: str, given: str | None, option: str, *, hidden: bool = False) -> str:
    from nudgepay.errors import UsageError

    if given:
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"{option} is missing: name the {what}")
    return str(typer.prompt(what[0].upper() + what[1:], hide_input=hidden))


def _password(from_stdin: bool) -> tuple[str, bool]:
    """The password, and whether it was made up here."""
    import secrets

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        prompt = "Password of the first operator (empty: make one up)"
        given = str(typer.prompt(prompt, default="", hide_input=True, confirmation_prompt=True, show_default=False))
        if given:
            return given, False
    return secrets.token_urlsafe(18), True


def _problems(environ: dict[str, str]) -> list[str]:
    from nudgepay.config import Settings, SettingsValidationError

    try:
        Settings.load(environ).ensure_valid()
    except SettingsValidationError as error:
        return [str(problem) for problem in error.problems]
    return []


def _show(document: dict[str, object], directory: Path) -> None:
    files = document["files"]
    problems = document["problems"]
    if not isinstance(files, list) or not isinstance(problems, list):
        return
    for one in files:
        print(f"{'written' if one['new'] else 'kept   '}  {one['path']}")
    if document["password"]:
        print(f"\nThe first operator's password, shown this once: {document['password']}")
    for problem in problems:
        print(f"\nStill to do: {problem}")
    print(
        f"""
Next:
  set -a; . {directory}/nudgepay.env; set +a
  nudgepay config check          every problem at once
  nudgepay migrate               the schema
  nudgepay doctor                database, sender, clock: what is wrong, and the cure
  nudgepay drill cutover FILE    the first import, rehearsed: nothing is sent
  sudo useradd --system nudgepay; sudo chown -R nudgepay {directory}
  sudo cp {directory}/nudgepay-*.service /etc/systemd/system/
  sudo systemctl enable --now nudgepay-web nudgepay-worker"""
    )
