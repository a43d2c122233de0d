"""Whoever changes the log is named: the application cannot, and a superuser is found out."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from audit.chain import KEYS, SEED, act, first_bad, sealed, verdict
from audit.owner import TABLES, keep, put_back, tamper
from nudgepay.audit.checkpoints import newest_anchor, newest_checkpoint, read_checkpoint
from nudgepay.audit.sealing import ChainBroken
from nudgepay.audit.signing import SigningKeys, keys_from
from nudgepay.db import Database

FORBIDDEN = [
    *(f"DELETE FROM {table}" for table in TABLES),
    *(f"TRUNCATE {table}" for table in TABLES),
    "UPDATE audit_events SET actor = 'somebody'",
    "UPDATE audit_events SET origin = NULL, origin_salt = NULL",
    "UPDATE audit_seals SET hash = digest",
    "UPDATE audit_checkpoints SET signature = NULL",
    "INSERT INTO audit_events (at, actor, action, subject) VALUES (now() - interval '1 day', 'a', 'b', 'c')",
    "INSERT INTO audit_events (id, actor, action, subject) OVERRIDING SYSTEM VALUE VALUES (1, 'a', 'b', 'c')",
    "SELECT setval('audit_events_id_seq', 1)",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "SELECT lo_creat(1) FROM audit_events FOR UPDATE",
]


def test_the_application_can_only_add(db: Database) -> None:
    act(db)
    sealed(db)
    for statement in FORBIDDEN:
        with pytest.raises(ProgrammingError) as refused, db.transaction() as session:
            session.execute(text("SET LOCAL nudgepay.audit_maintenance = 'on'"))
            session.execute(text(statement))
        assert getattr(refused.value.orig, "sqlstate", "") == "42501", statement
        assert first_bad(db) is None


def test_a_slip_of_the_owner_is_refused_too(db: Database) -> None:
    act(db)
    sealed(db)
    for statement in FORBIDDEN[:10]:
        if "origin = NULL" in statement:
            continue  # that is what forgetting does
        with pytest.raises(ProgrammingError, match="append-only"), db.transaction() as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            session.execute(text(statement))
    assert first_bad(db) is None


EDITS = {
    "at": "at = at + interval '1 microsecond'",
    "actor": "actor = 'operator:8'",
    "action": "action = 'invoice.void'",
    "subject": "subject = 'invoices:99'",
    "origin": "origin = 'web:198.51.100.1 Firefox'",
    "origin_salt": "origin_salt = sha256(origin_salt)",
    "origin_commitment": "origin_commitment = sha256(origin_commitment)",
    "origin with a fitting commitment": "origin = 'x', origin_commitment = sha256(origin_salt || 'x'::bytea)",
    "origin and its commitment gone": "origin = NULL, origin_salt = NULL, origin_commitment = NULL",
    "before": 'before = \'{"paused_until": ""}\'',
    "before gone": "before = NULL",
    "after": "after = jsonb_set(after, '{version}', '4.0')",
    "after null": "after = 'null'::jsonb",
}


def test_an_edit_of_any_column_is_named(db: Database) -> None:
    act(db, 7)
    sealed(db)
    keep(db)
    for what, edit in EDITS.items():
        tamper(db, f"UPDATE audit_events SET {edit} WHERE id = 4")
        assert first_bad(db) == ("edited", 4), what
        put_back(db)
        assert first_bad(db) is None, what


SWAP = """
UPDATE audit_events a
   SET (at, actor, action, subject, origin, origin_salt, origin_commitment, before, after) =
       (SELECT at, actor, action, subject, origin, origin_salt, origin_commitment, before, after
          FROM audit_events b WHERE b.id = 8 - a.id)
 WHERE id IN (3, 5)
"""
DEEDS: dict[str, tuple[tuple[str, ...], tuple[str, int | None]]] = {
    "delete a record": (("DELETE FROM audit_events WHERE id = 4",), ("deleted", 4)),
    "delete the first": (("DELETE FROM audit_events WHERE id = 1",), ("deleted", 1)),
    "delete the last": (("DELETE FROM audit_events WHERE id = 7",), ("deleted", 7)),
    "delete all": (("DELETE FROM audit_events",), ("deleted", 1)),
    "drop a seal": (("DELETE FROM audit_seals WHERE seq = 4",), ("seal_missing", 4)),
    "drop a record and its seal": (
        ("DELETE FROM audit_seals WHERE seq = 4", "DELETE FROM audit_events WHERE id = 4"),
        ("missing", None),
    ),
    "close the gap": (
        (
            "DELETE FROM audit_seals WHERE seq = 4",
            "DELETE FROM audit_events WHERE id = 4",
            "UPDATE audit_seals SET seq = seq - 1 WHERE seq = 5",
            "UPDATE audit_seals SET seq = seq - 1 WHERE seq = 6",
            "UPDATE audit_seals SET seq = seq - 1 WHERE seq = 7",
        ),
        ("seal_edited", 5),
    ),
    "swap two records": ((SWAP,), ("reordered", 3)),
    "swap two seals": (
        (
            "UPDATE audit_seals SET event_id = -1 WHERE seq = 3",
            "UPDATE audit_seals SET event_id = 3 WHERE seq = 5",
            "UPDATE audit_seals SET event_id = 5 WHERE seq = 3",
        ),
        ("reordered", 5),
    ),
    "insert between": (
        (
            "DELETE FROM audit_events WHERE id = 4",
            "INSERT INTO audit_events (id, actor, action, subject) OVERRIDING SYSTEM VALUE VALUES (4, 'a', 'b', 'c')",
        ),
        ("edited", 4),
    ),
    "forge a seal": (("UPDATE audit_seals SET hash = sha256(hash) WHERE seq = 4",), ("seal_edited", 4)),
    "edit a record and its digest": (
        (
            "UPDATE audit_events SET actor = 'x' WHERE id = 4",
            "UPDATE audit_seals SET digest = sha256(digest) WHERE seq = 4",
        ),
        ("edited", 4),
    ),
    "drop the tail of records and seals": (
        ("DELETE FROM audit_seals WHERE seq > 5", "DELETE FROM audit_events WHERE id > 5"),
        ("tail", 7),
    ),
    "drop the tail of seals": (("DELETE FROM audit_seals WHERE seq > 5",), ("seal_missing", 6)),
    "forge a signature": (("UPDATE audit_checkpoints SET signature = sha256('') || sha256('')",), ("signature", 7)),
    "forge what is signed": (("UPDATE audit_checkpoints SET settled_id = 900",), ("signature", 7)),
    "forge a head": (("UPDATE audit_checkpoints SET head = sha256(head)",), ("checkpoint", 7)),
    "forge a key": (("UPDATE audit_checkpoints SET key_id = 'another'",), ("unknown_key", 7)),
    "strip the signature": (
        ("UPDATE audit_checkpoints SET signature = NULL, key_id = NULL, at = now() - interval '6 minutes'",),
        ("unsigned", 7),
    ),
}


def test_a_superuser_is_found_out(db: Database) -> None:
    act(db, 7)
    sealed(db)
    keep(db)
    for deed, (statements, found) in DEEDS.items():
        tamper(db, *statements)
        assert first_bad(db) == found, deed
        put_back(db)
        assert first_bad(db) is None, deed


def test_a_record_that_comes_in_where_a_transaction_was_rolled_back_is_named(db: Database) -> None:
    act(db, 2)
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        session.execute(text("INSERT INTO audit_events (actor, action, subject) VALUES ('a', 'b', 'c')"))
        raise ZeroDivisionError
    act(db, 2, first=3)
    sealed(db)
    assert first_bad(db) is None, "a gap is no deletion"
    forged = "INSERT INTO audit_events (id, actor, action, subject) OVERRIDING SYSTEM VALUE VALUES (3, 'a', 'b', 'c')"
    tamper(db, forged)
    assert first_bad(db) == ("inserted", 3)
    act(db, 1, first=5)
    sealed(db)
    assert first_bad(db) == ("inserted", 3), "and it is not sealed later as if nothing were"


def test_a_log_that_was_cut_with_everything_about_it_is_found_out_from_elsewhere(
    db: Database, tmp_path: Path
) -> None:
    act(db, 5)
    sealed(db, anchors=tmp_path)
    act(db, 2, first=6)
    sealed(db, anchors=tmp_path)
    kept = newest_anchor(tmp_path)
    assert kept is not None
    anchor = read_checkpoint(kept)
    assert anchor.seq == 7
    assert first_bad(db, KEYS, anchor) is None
    tamper(
        db,
        "DELETE FROM audit_seals WHERE seq > 5",
        "DELETE FROM audit_events WHERE id > 5",
        "DELETE FROM audit_checkpoints WHERE seq > 5",
    )
    assert first_bad(db) is None, "it looks whole"
    assert first_bad(db, KEYS, anchor) == ("tail", 7)
    with pytest.raises(ChainBroken, match="record 7"):
        sealed(db, anchors=tmp_path)
    act(db, 3, first=8)
    sealed(db)
    assert first_bad(db, KEYS, anchor) == ("checkpoint", 9), "and after it has grown again"


def test_a_checkpoint_that_somebody_made_up_is_forged(db: Database) -> None:
    act(db, 3)
    sealed(db)
    with db.transaction() as session:
        true = newest_checkpoint(session)
    assert true is not None
    other = keys_from(SEED[:-2] + "A=")
    assert first_bad(db, KEYS, replace(true, settled_id=50)) == ("signature", 3)
    assert first_bad(db, KEYS, replace(true, key_id=None, signature=None).signed(other)) == ("unknown_key", 3)
    assert first_bad(db, KEYS, true) is None


def test_a_new_key_signs_and_the_old_one_still_verifies(db: Database) -> None:
    act(db, 2)
    assert sealed(db, SigningKeys()).checkpoint is not None
    assert verdict(db).signed == 0, "made before there was a key"
    assert sealed(db).records == 0
    assert verdict(db).signed == 1, "signed as soon as there is one"
    new = keys_from(f"{SEED[:-2]}A=, {SEED}")
    act(db, 2, first=3)
    sealed(db, new)
    assert (first_bad(db, new), verdict(db, new).signed) == (None, 2)
    assert first_bad(db, KEYS) == ("unknown_key", 4)
    assert verdict(db, SigningKeys()).remarks[0].startswith("no signature was checked")
