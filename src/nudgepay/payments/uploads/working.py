"""The work on uploads: reading on trial, and importing. One process has a file in hand; if it dies, another does it.

What is imported and that it is imported are one transaction: killed before it, nothing has happened; after it, it is
done. The hold on a file is a lock of the database's own, so that it ends with the process that has it.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from nudgepay import clock, log
from nudgepay.db import Database
from nudgepay.errors import OperationalError, UsageError
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.payments.importing import run_import
from nudgepay.payments.rows import ImportReport
from nudgepay.payments.statements.choices import StatementChoices
from nudgepay.payments.statements.storing import StatementReport, import_statement
from nudgepay.payments.uploads.actions import upload_by_id
from nudgepay.payments.uploads.choices import Choices
from nudgepay.payments.uploads.models import STATEMENT, WAITING, ImportUpload
from nudgepay.payments.uploads.reporting import stored

MOST_ATTEMPTS = 3
"""A file that has cost so many processes their life is not tried again."""
TOLD_SECONDS = 0.5
IN_HAND = 0x4E50_0003 << 32
"""The locks of single files: this, and the file's id."""
_log = log.get("uploads")


class TakenOver(OperationalError):
    """Somebody else has settled this file meanwhile."""


def is_waiting(session: Session) -> bool:
    """True when a file is to be read or imported."""
    query = select(ImportUpload.id).where(ImportUpload.state.in_(WAITING)).limit(1)
    return session.scalar(query) is not None


def run_uploads(
    db: Database, *, defaults: Defaults, now: datetime, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, int]:
    """Work on every file that waits and that nobody has in hand; returns how many. One that fails keeps none back."""
    with db.transaction() as session:
        waiting = select(ImportUpload.id).where(ImportUpload.state.in_(WAITING)).order_by(ImportUpload.id)
        ids = list(session.scalars(waiting))
    worked = failed = 0
    for upload_id in ids:
        if should_stop():
            break
        done = run_upload(db, upload_id, defaults=defaults, now=now)
        worked += done is not None
        failed += done is False
    return {"files": worked, "failed": failed}


def run_upload(db: Database, upload_id: int, *, defaults: Defaults, now: datetime) -> bool | None:
    """Work on one file: True when it went on, False when it failed, None when it is in hand or does not wait.

    Trouble outside leaves the file waiting, and is raised.
    """
    with db.advisory_lock(IN_HAND | upload_id % 2**32, shared=False, wait_seconds=0) as is_mine:
        if not is_mine:
            return None
        upload = _begin(db, upload_id)
        if upload is None:
            return None
        try:
            if upload.kind == STATEMENT:
                _keep_statement(db, upload, now=now)
            else:
                _work(db, upload, defaults=defaults, now=now)
        except UsageError as error:
            _end(db, upload, "choosing", error=str(error))
        except OperationalError:
            with suppress(OperationalError):
                _uncount(db, upload)
            raise
        except Exception as error:  # noqa: BLE001  # one file's bug must not keep the others from being read
            _log.exception("upload_broke", upload=upload_id, error=type(error).__name__)
            _end(db, upload, "failed", error=type(error).__name__)
            return False
    return True


def _begin(db: Database, upload_id: int) -> ImportUpload | None:
    with db.transaction() as session:
        upload = upload_by_id(session, upload_id, lock=True, content=True)
        if upload.state not in WAITING or upload.content is None:
            return None
        upload.attempts += 1
        if upload.attempts > MOST_ATTEMPTS:
            upload.state, upload.error = "failed", "Interrupted"
            return None
        return upload


def _uncount(db: Database, upload: ImportUpload) -> None:
    """Trouble outside is not the file's fault."""
    with db.transaction() as session:
        statement = update(ImportUpload).where(ImportUpload.id == upload.id, ImportUpload.attempts > 0)
        session.execute(statement.values(attempts=ImportUpload.attempts - 1))


def _work(db: Database, upload: ImportUpload, *, defaults: Defaults, now: datetime) -> None:
    choices = Choices(**upload.choices)
    is_trial = upload.state == "checking"
    newest = 0

    def before(session: Session) -> None:
        nonlocal newest
        newest = session.scalar(text("SELECT coalesce(max(id), 0) FROM invoices")) or 0

    def settle(session: Session, report: ImportReport) -> None:
        if not is_trial and not report.errors:
            _settle_import(session, upload, report, newest)

    report = run_import(
        db,
        upload.content or b"",
        defaults=choices.defaults(defaults),
        now=now,
        actor=upload.created_by,
        locale=choices.locale or None,
        mapping=choices.wishes().mapping,
        saved=choices.wishes().saved,
        preset=choices.wishes().preset,
        sheet=choices.wishes().sheet,
        dry_run=is_trial,
        progress=_teller(db, upload.id),
        first=before,
        then=settle,
    )
    if is_trial or report.errors:
        _end(db, upload, "checked", report=report)


def _keep_statement(db: Database, upload: ImportUpload, *, now: datetime) -> None:
    """Its lines are kept and wait for a person; nothing is booked by that."""
    choices = StatementChoices(**upload.choices)
    is_trial = upload.state == "checking"

    def settle(session: Session, report: StatementReport) -> None:
        if not is_trial:
            values = {"state": "done", "content": None, "report": stored(report), "rows_done": report.lines}
            _settle(session, upload, {**values, "written_at": func.now(), "updated_at": func.now()})

    report = import_statement(
        db,
        upload.content or b"",
        now=now,
        actor=upload.created_by,
        locale=choices.locale or None,
        currency=choices.currency,
        account=choices.account,
        layout=choices.layout(),
        dry_run=is_trial,
        name=upload.name,
        progress=_teller(db, upload.id),
        then=settle,
    )
    if is_trial or report.errors:
        _end(db, upload, "checked", report=report)


def _settle_import(session: Session, upload: ImportUpload, report: ImportReport, newest: int) -> None:
    """Part of the transaction that writes the books. Raises TakenOver when the file is settled already."""
    span = text(
        "SELECT min(id) AS first, max(id) AS last, now() AS at FROM invoices"
        " WHERE id > :newest AND created_at = now()"
    )
    session.flush()
    written = session.execute(span, {"newest": newest}).one()
    values = {
        "state": "done",
        "content": None,
        "report": stored(report),
        "rows_done": report.rows,
        "first_invoice_id": written.first,
        "last_invoice_id": written.last,
        "written_at": written.at,
        "updated_at": func.now(),
    }
    _settle(session, upload, values)


def _end(
    db: Database,
    upload: ImportUpload,
    state: str,
    *,
    report: ImportReport | StatementReport | None = None,
    error: str | None = None,
) -> None:
    values = {"state": state, "report": stored(report) if report else None, "error": error, "updated_at": func.now()}
    with db.transaction() as session:
        _settle(session, upload, values)


def _settle(session: Session, upload: ImportUpload, values: Mapping[str, object]) -> None:
    """Only as long as the file is still what was begun: the same state, read in the same way."""
    statement = (
        update(ImportUpload)
        .where(
            ImportUpload.id == upload.id,
            ImportUpload.state == upload.state,
            ImportUpload.attempts == upload.attempts,
            ImportUpload.choices == upload.choices,
        )
        .values(**values)
        .returning(ImportUpload.id)
    )
    if session.scalar(statement) is None:
        raise TakenOver("the file was changed or settled meanwhile")


def _teller(db: Database, upload_id: int) -> Callable[[int], None]:
    """Writes down how far the work is, twice a second at most, beside the transaction of the work."""
    told_at = clock.monotonic()

    def tell(rows: int) -> None:
        nonlocal told_at
        if clock.monotonic() - told_at < TOLD_SECONDS:
            return
        told_at = clock.monotonic()
        with db.independent() as session:
            session.execute(update(ImportUpload).where(ImportUpload.id == upload_id).values(rows_done=rows))

    return tell
