"""Bring a database to a revision: one migrator at a time, short locks, and a word on what was done."""

import threading

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from nudgepay import clock
from nudgepay.db import Database
from nudgepay.errors import Busy
from nudgepay.schema_lifecycle.app_role import grant_app_role
from nudgepay.schema_lifecycle.revisions import current, migrations_directory

ADVISORY_LOCK = 0x6E756467  # "nudg": one migrator at a time
WAIT_SECONDS = 30.0
LOCK_TIMEOUT_MS = 750
STATEMENT_TIMEOUT_MS = 5_000


class MigrationRunning(Busy):
    """Another process migrates this database now."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def migrate(db: Database, to: str = "head") -> tuple[str | None, str | None]:
    """Upgrade (or downgrade) to `to`; returns the revision before and after.

    Raises MigrationRunning when another migrator holds the lock for longer than 30 s.
    """
    before = current(db)
    with db.as_owner() as connection:
        _take_lock(connection)
        try:
            config = _config(connection)
            (command.downgrade if _is_older(config, before, to) else command.upgrade)(config, to)
            grant_app_role(connection)
            connection.commit()
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
    """Asks again and again instead of waiting in the server: an index that is built CONCURRENTLY waits for every
    statement that runs, so a migrator that waited for the lock of another would wait in a circle."""
    deadline = clock.monotonic() + WAIT_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}):
        connection.commit()
        if clock.monotonic() > deadline:
            raise MigrationRunning("another migration is running; try again when it has ended")
        threading.Event().wait(0.1)
    connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
    connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    connection.commit()
