"""What every command needs: a runtime that is closed again, an actor, one JSON document or a table."""

import getpass
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nudgepay.config import Settings
    from nudgepay.db import Database
    from nudgepay.runtime import Runtime


def say(message: str) -> None:
    """A word to the person, on standard error, so that standard output stays parseable."""
    print(message, file=sys.stderr)


def print_json(document: Any) -> None:
    """One JSON document on standard output and nothing else."""
    print(json.dumps(document, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def actor() -> str:
    """Who runs this command, for the audit log."""
    return f"cli:{_user()}"


def origin() -> str:
    """Where it runs, for the audit log."""
    return f"cli:{socket.gethostname()}/{_user()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def instant(value: str | None) -> datetime:
    """`--now`: an ISO 8601 instant (UTC when it names no zone), or the present."""
    from nudgepay import clock
    from nudgepay.errors import UsageError

    if value is None:
        return clock.now()
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise UsageError(f"--now: {value!r} is no ISO 8601 instant such as 2026-03-02T09:00:00Z") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def judged_settings() -> "Settings":
    """The settings of this process, or every problem with them at once; the log is set up by them."""
    from nudgepay import log
    from nudgepay.config import Settings
    from nudgepay.managed_secrets.environment import resolver_from_environment

    settings = Settings.load().ensure_valid(resolve=resolver_from_environment())
    log.configure(settings.log_level)
    return settings


@contextmanager
def open_runtime(*, migrated: bool = True) -> Iterator["Runtime"]:
    """Settings judged, database reached, schema checked; refuses with a cure instead of a trace."""
    with runtime_over(judged_settings(), migrated=migrated) as runtime:
        yield runtime


@contextmanager
def runtime_over(
    settings: "Settings", *, migrated: bool = True, patience_seconds: float | None = None
) -> Iterator["Runtime"]:
    """The same over settings that are judged already.

    `patience_seconds`: how long a statement may take, when somebody waits for the answer.
    """
    from nudgepay.audit import acting_from
    from nudgepay.errors import Refused
    from nudgepay.runtime import build_runtime
    from nudgepay.schema_lifecycle.revisions import misfit

    patience: dict[str, Any] = {} if patience_seconds is None else {"patience_seconds": patience_seconds}
    runtime = build_runtime(settings, announce=say, **patience)
    try:
        if migrated and (trouble := misfit(runtime.db)) is not None:
            if runtime.server is None:
                raise Refused(trouble)
            _migrate(runtime.db)
        with acting_from(origin()):
            yield runtime
    finally:
        runtime.close()


def _migrate(db: "Database") -> None:
    from nudgepay.schema_lifecycle.migrate import migrate

    migrate(db)
