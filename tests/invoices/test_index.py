"""The index of invoices: always what the invoices say, whoever changes them, and none of planning's business."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from invoices.bookkeeper import Bookkeeper
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, make_client, make_invoice, rows, value

COLUMNS = "client_id, status, money_state, currency, due_on, amount_remaining, amount_due"
INDEX = f"SELECT invoice_id, {COLUMNS}, number, words::text FROM invoice_index ORDER BY 1"
BOOKS = (
    f"SELECT i.id, {', '.join('i.' + name for name in COLUMNS.split(', '))}, lower(i.number),"
    " invoice_words(i.number, i.external_id, c.name)::text FROM invoices i JOIN clients c ON c.id = i.client_id ORDER BY 1"
)


def assert_index_is_that_of_the_books(db: Database) -> None:
    assert list(map(tuple, rows(db, INDEX))) == list(map(tuple, rows(db, BOOKS)))


def waiting(db: Database, change: Callable[[], object]) -> threading.Thread:
    """The change, begun beside us, as soon as it waits for somebody's lock."""
    thread = threading.Thread(target=change)
    thread.start()
    for _ in range(1_000):
        if value(db, "SELECT count(*) FROM pg_locks WHERE NOT granted") or not thread.is_alive():
            return thread
        thread.join(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("seed", range(2))
def test_the_index_is_that_of_the_books_whatever_was_done_to_them(db: Database, seed: int) -> None:
    keeper = Bookkeeper(db, seed)
    acts = [keeper.create, keeper.create_many, keeper.pay, keeper.pay, keeper.refund, keeper.undo, keeper.close]
    acts += [keeper.edit, keeper.delete, keeper.roll_back, keeper.rename, keeper.rename, keeper.rename]
    for _ in range(60):
        keeper.random.choice(acts)()
        assert_index_is_that_of_the_books(db)
    assert value(db, "SELECT count(*) FROM invoice_index") > 0


def test_planning_writes_nothing_to_the_index(db: Database) -> None:
    client = make_client(db)
    for number in range(5):
        make_invoice(db, client, f"A-{number}")
    versions = "SELECT invoice_id, xmin::text FROM invoice_index ORDER BY 1"
    before = rows(db, versions)
    run_planning(db, now=MONDAY, calendar=terms_of(Settings.load({"ENVIRONMENT": "test"})).calendar)
    assert value(db, "SELECT count(*) FROM invoices WHERE next_at <> :now", now=MONDAY) == 5
    assert rows(db, versions) == before


def test_a_change_while_the_index_is_filled_has_the_last_word(db: Database) -> None:
    invoice = make_invoice(db, make_client(db), "A-1", amount=500)

    def change() -> None:
        with db.transaction() as session:
            session.execute(text("UPDATE invoices SET amount_due = 7, amount_remaining = 7"))

    with db.transaction() as session:
        session.execute(text("CREATE TEMP TABLE earlier AS SELECT * FROM invoice_index"))
        session.execute(text("DELETE FROM invoice_index"))
        session.commit()
        session.execute(text("INSERT INTO invoice_index SELECT * FROM earlier"))
        thread = waiting(db, change)
    thread.join(10)
    assert value(db, "SELECT amount_due FROM invoice_index WHERE invoice_id = :id", id=invoice) == 7
    assert_index_is_that_of_the_books(db)


def test_an_invoice_made_during_a_rename_has_the_new_name(db: Database) -> None:
    client = make_client(db)
    with db.transaction() as session:
        lock_client(session, client).name = "Nordlicht"
        session.flush()
        thread = waiting(db, lambda: make_invoice(db, client, "A-1"))
    thread.join(10)
    assert "nordlicht" in value(db, "SELECT words::text FROM invoice_index")
    assert_index_is_that_of_the_books(db)
