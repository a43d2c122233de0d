"""What looks for rare rows never reads the many: not the first time, and not when its plan has been kept."""

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.automation.backlog import late_queues
from nudgepay.db import Database, libpq_url
from nudgepay.nudges.letters import LETTER_STATES, count_by_state, list_letters
from nudges.books import make_client, make_invoice

OFTEN = 16
"""The driver prepares a statement that comes back five times, PostgreSQL may keep one plan for all after five more."""
MANY = 4_000
LETTERS = """
INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address, message_id, token, state,
                     subject, mime, looked_at, sending_at)
SELECT gen_random_uuid(), k.client_id, k.id, 'EUR', 1, 'en', k.email, 'm' || n, 't' || n,
       CASE WHEN n <= 3 THEN 'failed' ELSE 'delivered' END, 's', convert_to(repeat('x', 300), 'UTF8'), now(),
       now() - n * interval '1 minute'
  FROM generate_series(1, :many) AS n, (SELECT * FROM contacts ORDER BY id LIMIT 1) AS k
"""
INVOICES = """
INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token, next_at)
SELECT 'B-' || n, client_id, 'EUR', 1, 1, due_on, due_on, 'i' || n,
       CASE WHEN n % 3 = 0 THEN now() + (n * 7919 % 4000) * interval '1 hour' + interval '1 day' END
  FROM generate_series(1, :many) AS n, (SELECT * FROM invoices ORDER BY id LIMIT 1) AS i
"""
"""Some have a step to come: to a plan that knows no instant, one that is overdue seems near."""
READ = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = :table"


@pytest.fixture
def books(db: Database) -> Database:
    """A long past."""
    make_invoice(db, make_client(db), "A-1")
    with db.transaction() as session:
        session.execute(text(LETTERS), {"many": MANY})
        session.execute(text(INVOICES), {"many": MANY})
        session.execute(text("UPDATE invoices SET next_at = NULL WHERE number = 'A-1'"))
    with psycopg.connect(libpq_url(db.url), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE letters, invoices")
    return db


def read_through(session: Session, table: str) -> int:
    return int(session.scalar(text(READ), {"table": table}) or 0)


@pytest.mark.parametrize("state", ["failed", "bounced"])
def test_letters_of_a_rare_state_are_listed_without_reading_all_letters(books: Database, state: str) -> None:
    with books.transaction() as session:
        for _ in range(OFTEN):
            assert len(list_letters(session, state=state, limit=50)) == {"failed": 3, "bounced": 0}[state]
        assert read_through(session, "letters") == 0


def test_rare_states_are_counted_without_reading_all_letters(books: Database) -> None:
    rare = tuple(state for state in LETTER_STATES if state != "delivered")
    with books.transaction() as session:
        for _ in range(OFTEN):
            assert count_by_state(session, rare, cap=100) == dict.fromkeys(rare, 0) | {"failed": 3}
        assert read_through(session, "letters") == 0


def test_late_queues_are_found_without_reading_all_invoices(books: Database) -> None:
    with books.transaction() as session:
        for _ in range(OFTEN):
            assert late_queues(session, patience=timedelta(minutes=15)) == []
        assert read_through(session, "invoices") == 0
