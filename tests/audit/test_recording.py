"""A record says where it came from without being told, holds no more than it may, and can forget an address."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from audit.chain import act, first_bad, sealed, verdict
from nudgepay import audit, clock
from nudgepay.audit import AuditEvent
from nudgepay.audit.canonical import canonical, commitment_to
from nudgepay.audit.recording import LARGEST_DETAILS, LONGEST
from nudgepay.audit.signing import BadSigningKey, keys_from
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import run_job
from nudgepay.automation.schedule import Job
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.runtime import build_runtime


def _events(db: Database) -> list[AuditEvent]:
    with db.transaction() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_the_origin_is_that_of_the_edge_and_ends_with_it(db: Database) -> None:
    with audit.acting_from("cli:host/ada"), db.transaction() as session:
        audit.record(session, actor="cli:ada", action="a.b", subject="x:1")
        audit.record(session, actor="payer", action="a.b", subject="x:1", origin="page")
        with audit.acting_from("job:nudge_pass"):
            audit.record(session, actor="job:nudge_pass", action="a.b", subject="x:1")
    with db.transaction() as session:
        audit.record(session, actor="x", action="a.b", subject="x:1")
    found = _events(db)
    assert [one.origin for one in found] == ["cli:host/ada", "page; cli:host/ada", "job:nudge_pass", None]
    for one in found[:3]:
        assert one.origin is not None
        assert one.origin_salt is not None
        assert one.origin_commitment == commitment_to(one.origin, one.origin_salt)
    assert found[3].origin_commitment is None
    assert len({one.origin_salt for one in found}) == 4, "equal origins look different"


def test_a_job_is_the_origin_of_what_it_does(settings: Settings) -> None:
    runtime = build_runtime(settings)

    def work(job: JobContext) -> dict[str, int]:
        with job.runtime.db.transaction() as session:
            audit.record(session, actor=job.actor, action="a.b", subject="x:1")
        return {}

    run_job(Job("made_up", "* * * * * 0", work, "nothing"), JobContext(runtime, clock.now(), "job:made_up"))
    assert [one.origin for one in _events(runtime.db)] == ["job:made_up"]
    runtime.close()


def test_no_field_floods_or_poisons_the_log(db: Database) -> None:
    nasty = "a\0b\nc\x1b[31m\u202e\ud800" + "x" * 1_000_000
    with audit.acting_from(nasty), db.transaction() as session:
        audit.record(session, actor=nasty, action=nasty, subject=nasty, before={nasty: nasty}, after={"a": ["b\0"]})
        audit.record(session, actor="a", action="b.c", subject="d", after={str(n): "x" * 900 for n in range(1000)})
    poisoned, flooded = _events(db)
    for name, most in LONGEST.items():
        value = getattr(poisoned, name)
        assert len(value) == most, name
        assert value.isprintable(), name
    assert poisoned.after == {"a": ["b\ufffd"]}
    assert flooded.after is not None
    assert set(flooded.after) == {"left_out_bytes", "sha256"}
    with db.transaction() as session:
        largest = session.scalar(
            text("SELECT max(length(coalesce(before::text, '') || after::text)) FROM audit_events")
        )
    assert largest < LARGEST_DETAILS
    sealed(db)
    assert first_bad(db) is None


def test_an_address_is_forgotten_and_the_chain_stays_whole(db: Database) -> None:
    act(db, 3)
    act(db, 2, origin="web:198.51.100.9 Chrome")
    sealed(db)
    with db.transaction() as session:
        assert audit.forget_origins(session, actor="job:privacy", of="operator:8") == 0
        assert audit.forget_origins(session, actor="job:privacy", of="operator:7", most=3) == 3
    with db.transaction() as session:
        later = clock.now() + timedelta(days=1)
        assert audit.forget_origins(session, actor="job:privacy", before=later) == 2
        assert audit.forget_origins(session, actor="job:privacy", before=later) == 0
    found = _events(db)
    assert [one.origin for one in found] == [None] * 7
    assert [one.origin_salt for one in found] == [None] * 7
    assert [one.after for one in found if one.action == "audit.forget"] == [
        {"records": 3, "first": 1, "last": 3},
        {"records": 2, "first": 4, "last": 5},
    ]
    sealed(db)
    seen = verdict(db)
    assert (seen.first_bad, seen.checked, seen.erased) == (None, 7, 5)


def test_the_way_of_forgetting_leads_nowhere_else(db: Database) -> None:
    """A table of the caller's own does not stand in for the log, and nothing but the two columns goes."""
    act(db)
    with db.transaction() as session:
        session.execute(
            text("CREATE TEMP TABLE audit_events (id bigint, origin text, origin_salt bytea) ON COMMIT DROP")
        )
        session.execute(text("INSERT INTO pg_temp.audit_events VALUES (1, 'mine', NULL)"))
        assert session.scalar(text("SELECT audit_forget_origins('{1}')")) == 1
        assert session.scalar(text("SELECT origin FROM pg_temp.audit_events")) == "mine"
    assert _events(db)[0].origin is None
    with pytest.raises(ProgrammingError, match="append-only"), db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE audit_events SET origin = NULL, origin_salt = NULL, actor = 'x'"))


def test_what_is_hashed_is_the_json_that_others_write_too() -> None:
    assert canonical(["a", 1, None, 'é"\\\n\x1f\u2028']) == '["a",1,null,"é\\"\\\\\\n\\u001f\u2028"]'.encode()


@pytest.mark.parametrize(
    "bad", ["short", "a" * 43 + "!", "public:abc", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(BadSigningKey) as refused:
        keys_from(bad)
    assert bad not in str(refused.value)
