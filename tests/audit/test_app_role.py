"""The application works in a role that may add to the log, whatever login it has; without the role it says so."""

import asyncio
import os
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from audit.chain import act, first_bad, sealed
from nudgepay.automation import queue
from nudgepay.config import Settings
from nudgepay.db import AsyncStatements, Database, DatabaseUnavailable, libpq_url
from nudgepay.readiness.audit_log import audit_findings
from nudgepay.runtime import build_runtime
from nudgepay.schema_lifecycle.app_role import app_role_trouble, role_state
from nudgepay.schema_lifecycle.migrate import migrate

WHO = "SELECT current_user"


@pytest.fixture
def login(server_url: str, worker_id: str) -> Iterator[str]:
    """A login that may nothing yet; gone afterwards with all that it owns."""
    name = f"plain_{worker_id}_{os.getpid()}"
    with psycopg.connect(libpq_url(server_url), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN".encode())
        yield name
        owner.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        owner.execute(f"DROP ROLE {name}".encode())


def _as(login: str, url: str) -> str:
    return make_url(url).set(username=login).render_as_string(hide_password=False)


def test_every_door_to_the_database_takes_the_role(db: Database) -> None:
    with db.transaction() as session:
        assert session.scalar(text(WHO)) == "nudgepay_app"
        assert role_state(session).is_in_force

    async def ask() -> str:
        app = queue.procrastinate_app(db.url)
        async with app.open_async():
            row = await app.connector.execute_query_one_async(f"{WHO}::text AS who")
        return str(row["who"])

    async def try_to_change() -> None:
        statements = AsyncStatements(db.url)
        try:
            await statements.run("UPDATE audit_events SET actor = %s", ["x"])
        finally:
            await statements.close()

    assert asyncio.run(ask()) == "nudgepay_app"
    with pytest.raises(DatabaseUnavailable, match="InsufficientPrivilege"):
        asyncio.run(try_to_change())
    migrate(db)
    with db.transaction() as session:
        assert session.scalar(text(WHO)) == "nudgepay_app", "also after a migration on the same pool"


def test_the_role_has_what_the_application_needs_and_no_more(db: Database) -> None:
    with db.transaction() as session:
        rows = session.execute(text(_RIGHTS)).all()
    rights = {row.name: row.rights for row in rows}
    assert len(rights) > 40
    special = {
        "public.audit_events": "SELECT",
        "public.audit_seals": "INSERT,SELECT",
        "public.audit_checkpoints": "INSERT,SELECT",
        "public.alembic_version": "SELECT",
        "public.schema_state": "SELECT",
    }
    assert {name: found for name, found in rights.items() if found != "DELETE,INSERT,SELECT,UPDATE"} == special


_RIGHTS = """
SELECT format('%s.%s', n.nspname, c.relname) AS name,
       (SELECT string_agg(p, ',' ORDER BY p)
          FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
         WHERE has_table_privilege('nudgepay_app', c.oid, p)) AS rights
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname IN ('public', 'procrastinate')
"""


def test_a_login_that_is_only_a_member_works_and_cannot_leave_the_role(
    db: Database, server_url: str, login: str, settings: Settings
) -> None:
    with psycopg.connect(libpq_url(server_url), autocommit=True) as owner:
        owner.execute(f"GRANT nudgepay_app TO {login}".encode())
    settings = Settings.load(
        {"ENVIRONMENT": "test", "DATABASE_URL": _as(login, db.url), "NUDGEPAY_HOME": str(settings.nudgepay_home)}
    )
    runtime = build_runtime(settings)
    act(runtime.db, 2)
    assert sealed(runtime.db).records == 2
    assert first_bad(runtime.db) is None
    with pytest.raises(ProgrammingError), runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE audit_events SET actor = 'x'"))
    assert next(audit_findings(runtime)).verdict == "ok"
    runtime.close()


def test_who_may_make_no_role_migrates_anyway_and_is_told_what_to_do(server_url: str, login: str) -> None:
    with psycopg.connect(libpq_url(server_url), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{login}" OWNER {login}'.encode())
    db = Database(make_url(_as(login, server_url)).set(database=login).render_as_string(hide_password=False))
    migrate(db)
    trouble = app_role_trouble(db)
    assert trouble is not None
    assert "GRANT nudgepay_app TO" in trouble
    act(db)
    assert sealed(db).records == 1
    with psycopg.connect(libpq_url(server_url), autocommit=True) as owner:
        owner.execute("DO $$ BEGIN CREATE ROLE nudgepay_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        owner.execute(f"GRANT nudgepay_app TO {login}".encode())
    migrate(db)
    assert app_role_trouble(db) is None
    act(db)
    assert first_bad(db) is None
    db.close()
