"""`nudgepay evidence NUMBER`: one file for the auditor, the court, or the client who asks."""

from pathlib import Path
from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json


def evidence(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    out: Annotated[Path | None, typer.Option(help="Where to write it; evidence-NUMBER.zip here otherwise.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The document alone, on standard output.")] = False,
) -> None:
    """One file that proves what was sent, decided and paid: a page to read, every row, the letters themselves."""
    import os

    from nudgepay import audit
    from nudgepay.errors import Refused
    from nudgepay.readiness.evidence import file_name, gather_evidence, pack_evidence

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = gather_evidence(session, number, now=instant(None))
        audit.record(session, actor=actor(), action="evidence.export", subject=f"invoices:{number}")
    if as_json:
        print_json(found.document)
        return
    path = out or Path(file_name(number))
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already: say --force to replace it, or --out another") from None
    with os.fdopen(handle, "wb") as file:
        file.write(pack_evidence(found))
    print(f"Written to {path}: open evidence.html inside. It holds personal data and live links; keep it safe.")
