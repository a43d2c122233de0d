"""What only the owner of the tables can do, and what a superuser can do on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import Database


@contextmanager
def as_superuser(db: Database) -> Iterator[Session]:
    """A transaction without the application's role, with the log's own lock taken off."""
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("SET LOCAL nudgepay.audit_maintenance = 'on'"))
        yield session


def tamper(db: Database, *statements: str) -> None:
    with as_superuser(db) as session:
        for statement in statements:
            session.execute(text(statement))


TABLES = ("audit_events", "audit_seals", "audit_checkpoints")


def keep(db: Database) -> None:
    """Remember the log as it is now."""
    with as_superuser(db) as session:
        for table in TABLES:
            session.execute(text(f"CREATE TABLE IF NOT EXISTS kept_{table} AS SELECT * FROM {table}"))


def put_back(db: Database) -> None:
    """The log as it was remembered, whatever was done to it."""
    with as_superuser(db) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in TABLES:
            session.execute(text(f"DELETE FROM {table}"))
            session.execute(text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{table}"))
