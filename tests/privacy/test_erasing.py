"""A person goes, from everywhere; the books and everybody else stay."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.terms import terms_of
from nudgepay.privacy.columns import MAP
from nudgepay.privacy.erasing import Erased, ErasureBlocked, OpenInvoices, erase_person
from nudgepay.privacy.erasure_ledger import ErasureLedger, LedgerUnwritable, ledger_of
from nudgepay.privacy.expiring import expire
from nudgepay.privacy.exporting import export_person
from nudgepay.privacy.people import person_by_address, person_of_client
from nudgepay.privacy.replaying import replay_erasures
from nudgepay.runtime import Runtime
from privacy.canary import ADDRESS, NAME, a_client, leave_traces
from privacy.conftest import NOW


@pytest.fixture
def client_id(books: Runtime) -> int:
    with books.db.transaction() as session:
        found = a_client(session)
        leave_traces(session, found)
    return found


def erase(books: Runtime, client_id: int, **more: Any) -> Erased:
    given = {"years": 10, "silence": True, "now": NOW, "actor": "test"} | more
    return erase_person(books.db, ledger_of(books.settings), lambda s: person_of_client(s, client_id), **given)


def found_in(books: Runtime, *words: str) -> set[str]:
    """Columns of the whole database in which one of the words stands, as text or as bytes."""
    found = set()
    with psycopg.connect(books.db.url.replace("+psycopg", "")) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema IN ('public', 'procrastinate')"
        ).fetchall()
        for schema, table, column, kind in columns:
            there = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            query = f'SELECT EXISTS (SELECT FROM {schema}."{table}" WHERE {there} ~* %s)'
            if connection.execute(query, ("|".join(words),)).fetchone() == (True,):
                found.add(f"{table}.{column}")
    return found


def rows_of_others(books: Runtime, client_id: int) -> dict[str, str]:
    """A hash of each table that holds rows of clients, without those of one client."""
    hashes = {}
    with books.db.transaction() as session:
        for table, column in (
            ("clients", "id"),
            *(
                (name, "client_id")
                for name in ("contacts", "invoices", "letters", "mailings", "reminders", "money_facts")
            ),
        ):
            rows = session.execute(
                text(f"SELECT t::text FROM {table} t WHERE {column} <> :id ORDER BY 1"), {"id": client_id}
            )
            hashes[table] = hashlib.sha256("\n".join(rows.scalars()).encode()).hexdigest()
    return hashes


def test_every_trace_goes_but_what_the_law_keeps_and_neighbours_stay(books: Runtime, client_id: int) -> None:
    kept = {f"{name}.{column}" for name, table in MAP.items() for column in table.handled_as("kept")}
    before, others = found_in(books, "canarybird"), rows_of_others(books, client_id)
    assert {
        "letters.mime",
        "contacts.email",
        "invoice_index.words",
        "disputes.message",
        "stripe_events.payload",
    } <= before
    done = erase(books, client_id)
    assert done.erasure is not None
    left = found_in(books, "canarybird")
    assert left <= kept, f"still there: {left - kept}"
    assert left == kept & before
    assert rows_of_others(books, client_id) == others
    assert "canarybird" not in ledger_of(books.settings).path.read_text().lower()


def test_money_is_as_it_was(books: Runtime, client_id: int) -> None:
    query = text(
        "SELECT json_agg(i ORDER BY id)::text FROM (SELECT id, number, amount_due, amount_paid, status, money_state, issued_on, due_on FROM invoices) i"
    )
    with books.db.transaction() as session:
        before = session.scalar(query)
    erase(books, client_id)
    with books.db.transaction() as session:
        assert session.scalar(query) == before


def test_twice_is_once(books: Runtime, client_id: int) -> None:
    erase(books, client_id)
    lines = ledger_of(books.settings).path.read_text()
    assert erase(books, client_id).erasure is None
    assert ledger_of(books.settings).path.read_text() == lines


def test_open_invoices_and_letters_on_their_way_stop_it(books: Runtime, client_id: int) -> None:
    with pytest.raises(OpenInvoices):
        erase(books, client_id, silence=False)
    with books.db.transaction() as session:
        session.execute(text("UPDATE letters SET state = 'sending' WHERE client_id = :id"), {"id": client_id})
    with pytest.raises(ErasureBlocked, match="being sent"):
        erase(books, client_id)
    assert "letters.mime" in found_in(books, "canarybird")


def test_a_look_that_begins_a_letter_is_waited_for_and_then_stops_it(books: Runtime, client_id: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        with books.db.transaction() as session:
            lock = text("SELECT id FROM clients WHERE id = :id FOR NO KEY UPDATE")
            session.execute(lock, {"id": client_id})
            running = pool.submit(erase, books, client_id)
            with pytest.raises(TimeoutError):
                running.result(timeout=1)
            begun = "UPDATE letters SET state = 'sending' WHERE id = (SELECT id FROM letters WHERE client_id = :id LIMIT 1)"
            session.execute(text(begun), {"id": client_id})
        with pytest.raises(ErasureBlocked, match="being sent"):
            running.result(timeout=20)
    assert "letters.mime" in found_in(books, "canarybird")


def test_killed_before_the_commit_nothing_went_and_the_ledger_can_be_replayed(
    books: Runtime, client_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(books.settings)
    count = len(ledger.intents())
    before = found_in(books, "canarybird")
    written = ErasureLedger.intend

    def killed(self: ErasureLedger, erasure: str, **what: Any) -> None:
        written(self, erasure, **what)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ErasureLedger, "intend", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(books, client_id)
    assert found_in(books, "canarybird") == before
    assert len(ledger.intents()) == count + 1
    wanted = ledger.intents()[-1]["erasure"]
    assert wanted in replay_erasures(books.db, ledger, years=10, now=NOW, actor="test").applied
    assert "contacts.email" not in found_in(books, "canarybird")


def test_without_a_ledger_nothing_goes(books: Runtime, client_id: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = found_in(books, "canarybird")
    with pytest.raises(LedgerUnwritable):
        erase_person(
            books.db,
            ErasureLedger(tmp_path / "file"),
            lambda s: person_of_client(s, client_id),
            years=10,
            silence=True,
            now=NOW,
            actor="test",
        )
    assert found_in(books, "canarybird") == before


def test_who_wanted_no_letters_gets_none_after_coming_back(books: Runtime, client_id: int) -> None:
    erase(books, client_id)
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM suppressions WHERE address = :a"), {"a": ADDRESS}) == 0
        session.execute(
            text(
                "INSERT INTO contacts (client_id, name, email, token) SELECT id, 'Again', upper(:a), 'again' FROM clients WHERE id = :id"
            ),
            {"a": ADDRESS, "id": client_id},
        )
        assert (
            session.scalar(
                text("SELECT reason FROM suppressions WHERE address = :a AND lifted_at IS NULL"), {"a": ADDRESS}
            )
            == "unsubscribed"
        )
    pass_once(books)
    with books.db.transaction() as session:
        sent = text("SELECT count(*) FROM letters WHERE lower(to_address) = :a")
        assert session.scalar(sent, {"a": ADDRESS}) == 0


def test_the_next_pass_holds_everything_because_nobody_is_left(books: Runtime, client_id: int) -> None:
    erase(books, client_id)
    with books.db.transaction() as session:
        before = session.scalar(text("SELECT count(*) FROM letters WHERE client_id = :id"), {"id": client_id})
    pass_once(books)
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM letters WHERE client_id = :id"), {"id": client_id}) == before
        query = text(
            "SELECT DISTINCT held_reason FROM reminders WHERE client_id = :id AND state = 'planned' AND held_reason IS NOT NULL AND look_at > :now"
        )
        reasons = set(session.scalars(query, {"id": client_id, "now": NOW}))
    assert reasons <= {"no_recipient"}


def pass_once(books: Runtime) -> None:
    run_pass(
        books.db,
        transport=books.mail,
        receipts=books.receipts,
        terms=terms_of(books.settings),
        environment="test",
        now=NOW,
        actor="test",
        wait_seconds=10,
        alone=True,
    )


def test_the_export_has_all_of_the_person_and_nothing_of_others(books: Runtime, client_id: int) -> None:
    with books.db.transaction() as session:
        person = person_of_client(session, client_id)
        document = export_person(session, person, now=NOW, actor="test")
        others = [
            *session.scalars(text("SELECT email FROM contacts WHERE client_id <> :id"), {"id": client_id}),
            *session.scalars(text("SELECT number FROM invoices WHERE client_id <> :id"), {"id": client_id}),
        ]
        token = session.scalar(text("SELECT token FROM contacts WHERE id = :id"), {"id": person.contacts[0]})
    told = json.dumps(document)
    before = {one.split(".")[0] for one in found_in(books, "canarybird")} - {"invoice_index"}
    assert before <= set(document["data"])
    assert [one for one in others if one in told] == []
    assert token not in json.dumps(document["data"]["contacts"])


def test_a_contact_goes_and_the_client_stays(books: Runtime, client_id: int) -> None:
    done = erase_person(
        books.db,
        ledger_of(books.settings),
        lambda s: person_by_address(s, ADDRESS.upper()),
        years=10,
        silence=True,
        now=NOW,
        actor="test",
    )
    assert done.erasure is not None
    with books.db.transaction() as session:
        assert session.scalar(text("SELECT name FROM clients WHERE id = :id"), {"id": client_id}) == NAME
    left = found_in(books, "canarybird\\.example")
    assert "contacts.email" not in left
    assert left & {"letters.mime", "letters.to_address", "disputes.message", "suppressions.address"} <= {
        "letters.mime"
    }


def test_what_the_law_keeps_goes_at_its_term_and_not_a_day_earlier(books: Runtime, client_id: int) -> None:
    erase(books, client_id)
    with books.db.transaction() as session:
        last = session.scalar(text("SELECT max(extract(year FROM booked_on)) FROM bank_lines"))
        early = NOW.replace(year=int(last) + 10, month=12, day=31)
        assert "bank_lines" not in expire(session, years=10, now=early, actor="test", dry_run=True)
        term = NOW.replace(year=int(last) + 11, month=1, day=1)
        seen = expire(session, years=10, now=term, actor="test", dry_run=True)
        own = "SELECT count(*) FROM bank_lines l JOIN money_facts f ON f.id = l.fact_id WHERE f.client_id = :id"
        assert seen["bank_lines"] == session.scalar(text(own), {"id": client_id}) > 0
        assert expire(session, years=10, now=term, actor="test") == seen
        assert expire(session, years=10, now=term, actor="test") == {}
    assert "bank_lines.counterparty" not in found_in(books, "canarybird")
