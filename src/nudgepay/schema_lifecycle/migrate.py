"""Bring a database to a revision: one migrator at a time, short locks, and a word on what was done."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from nudgepay.db import Database
from nudgepay.errors import Busy

ADVISORY_LOCK = 0x6E756467  # "nudg": one migrator at a time
LOCK_TIMEOUT_MS = 750
STATEMENT_TIMEOUT_MS = 5_000


class MigrationRunning(Busy):
    """Another process migrates this database now."""


def migrations_directory() -> Path:
    """Inside the wheel, or at the root of the source tree."""
    packaged = Path(__file__).parent.parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this code needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise RuntimeError("no migration found")
    return found


def current(db: Database) -> str | None:
    """The revision that the database has; None when it was never migrated. Raises DatabaseUnavailable."""
    with db.connection() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def misfit(db: Database) -> str | None:
    """Why this code cannot work on the database's schema, with the cure; None when it can.

    A newer schema is fine as long as it says so: a release and the one after it share the work while one replaces
    the other.
    """
    known, wanted = current(db), head()
    if known == wanted:
        return None
    if known is None or known in _revisions():
        return f"the schema is at {known or 'nothing'}, this code needs {wanted}: nudgepay migrate"
    with db.connection() as connection:
        oldest = connection.scalar(text("SELECT oldest_code FROM schema_state"))
    if oldest is not None and oldest <= wanted:
        return None
    return f"the schema is at {known}, too new for this code ({wanted}): run the newer release"


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def migrate(db: Database, to: str = "head") -> tuple[str | None, str | None]:
    """Upgrade (or downgrade) to `to`; returns the revision before and after.

    Raises MigrationRunning when another migrator holds the lock for longer than 30 s.
    """
    before = current(db)
    with db.engine.connect() as connection:
        _take_lock(connection)
        try:
            config = _config(connection)
            (command.downgrade if _is_older(config, before, to) else command.upgrade)(config, to)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
            connection.commit()
    return before, current(db)


def _is_older(config: Config, before: str | None, to: str) -> bool:
    newest_first = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if to == "base" or before is None or to not in newest_first:
        return to == "base"
    return newest_first.index(to) > newest_first.index(before)


def _take_lock(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '30s'"))
    connection.execute(text("SET statement_timeout = '35s'"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    except Exception as error:
        raise MigrationRunning("another migration is running; try again when it has ended") from error
    connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
    connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    connection.commit()
