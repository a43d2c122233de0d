"""Transactions and the fresh database of each test."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from nudgepay.db import Database, DatabaseUnavailable, UnstorableText, libpq_url
from nudgepay.schema_lifecycle.revisions import current, head


def test_it_migrates_to_the_head(db: Database) -> None:
    assert current(db) == head()


def test_it_rolls_back_on_an_error(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        session.execute(text("INSERT INTO sending_switch (id, changed_by) VALUES (1, 'test')"))
        raise ZeroDivisionError
    with db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM sending_switch")) == 0


def test_it_names_an_unreachable_database() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable):
        nowhere.ping()
    nowhere.close()


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_lent_again(db: Database) -> None:
    with db.transaction() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(libpq_url(db.url), autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    with db.transaction() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != backend


def test_an_error_never_repeats_the_values_it_was_about(db: Database) -> None:
    with pytest.raises(DBAPIError) as refused, db.transaction() as session:
        session.execute(text("SELECT 1 / (length(:value) - 13)"), {"value": "Klara Lindner"})
    assert "Klara" not in str(refused.value)


def test_a_text_that_no_database_can_hold_is_the_callers_mistake(db: Database) -> None:
    with pytest.raises(UnstorableText, match="NUL"), db.transaction() as session:
        session.execute(text("SELECT 1 FROM clients WHERE name = :name"), {"name": "Klara\0"})


def test_it_starts_with_the_default_schedule(db: Database) -> None:
    with db.transaction() as session:
        codes = session.scalars(text("SELECT code FROM schedule_steps ORDER BY position")).all()
    assert codes == ["T-3", "DUE", "+3", "+7"]
