"""The migration that builds indexes beside everybody's work: stopped midway it goes on, and two of them do not lock
each other out."""

import threading

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.schema_lifecycle.revisions import current, migrations_directory

REVISION = "0009"
FILL = """
INSERT INTO clients (name, locale, timezone, country) VALUES ('Lindner & Söhne', 'de', 'UTC', 'DE');
INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token)
SELECT 'A-00' || n, c.id, 'EUR', 1, 1, now(), now(), md5(n::text) FROM generate_series(1, 3) n, clients c
"""


@pytest.fixture
def before(db: Database) -> str:
    """The revision before, to which the database is taken back, with some books in it."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    found = ScriptDirectory.from_config(config).get_revision(REVISION).down_revision
    assert isinstance(found, str)
    migrate(db, found)
    with db.engine.begin() as connection:
        connection.execute(text(FILL))
    return found


def found_by(db: Database, word: str) -> int:
    query = text("SELECT count(*) FROM invoice_index WHERE words @@ to_tsquery('simple', :word)")
    with db.transaction() as session:
        return int(session.scalar(query, {"word": word}) or 0)


def test_a_migration_that_was_stopped_midway_goes_on_where_it_stopped(db: Database, before: str) -> None:
    migrate(db, REVISION)
    assert (found_by(db, "lind:*"), found_by(db, "2:*"), found_by(db, "002")) == (3, 1, 1)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :before"), {"before": before})
        connection.execute(text("DELETE FROM invoice_index WHERE invoice_id > 1"))
        connection.execute(text("DROP INDEX ix_invoice_index_due"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_invoice_index_amount'::regclass")
        )
    migrate(db, REVISION)
    assert found_by(db, "söhne") == 3
    with db.transaction() as session:
        unfinished = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        assert session.scalar(text(unfinished)) == 0
        assert session.scalar(text("SELECT to_regclass('ix_invoice_index_due')")) is not None


def test_two_migrators_at_once_do_not_wait_in_a_circle(db: Database, before: str) -> None:
    wrong: list[BaseException] = []

    def work() -> None:
        mine = Database(db.url)
        try:
            migrate(mine, REVISION)
        except BaseException as error:  # noqa: BLE001  # told by the test
            wrong.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert (current(db), found_by(db, "a")) == (REVISION, 3)
