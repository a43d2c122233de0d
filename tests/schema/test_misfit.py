"""Which schemas this code works on: its own, and a newer one that says so."""

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.schema_lifecycle.revisions import head, misfit


def newer(db: Database, oldest_code: str) -> None:
    """A schema as a later release leaves it."""
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE alembic_version SET version_num = '9000'"))
        session.execute(text("UPDATE schema_state SET oldest_code = :oldest"), {"oldest": oldest_code})


def test_its_own_schema_fits(db: Database) -> None:
    assert misfit(db) is None


def test_a_newer_schema_that_names_this_code_is_worked_on(db: Database) -> None:
    newer(db, head())
    assert misfit(db) is None


def test_a_newer_schema_that_has_left_this_code_behind_is_refused_with_the_cure(db: Database) -> None:
    newer(db, "9000")
    assert "run the newer release" in (misfit(db) or "")


@pytest.mark.parametrize("revision", ["0002", "0006"])
def test_an_older_schema_is_to_be_migrated(db: Database, revision: str) -> None:
    migrate(db, revision)
    assert f"is at {revision}" in (misfit(db) or "")
    assert "nudgepay migrate" in (misfit(db) or "")


def test_an_empty_database_is_to_be_migrated(db: Database) -> None:
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("DROP TABLE alembic_version"))
    assert "at nothing" in (misfit(db) or "")
