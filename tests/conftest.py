"""Every test may have a real, migrated PostgreSQL database of its own, copied from a template."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from memory import short_lived
from nudgepay import embedded
from nudgepay.access import passwords
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.schema_lifecycle.migrate import migrate

TEMPLATE = "nudgepay_template"
QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_wal_size = '256MB'")
"""No test's data must survive a crash of its own server; those that crash one start another."""
LONG = ("timeout", "browser", "fault")
"""Marks of tests that may take longer than others."""
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")
"""The same examples in every run, so that a red test is a change of ours; the proof draws many more of them."""

_counter = itertools.count()


def _named(url: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(url, dbname=name) if "://" not in url else _replace_path(url, name)


def _replace_path(url: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def server_url(worker_id: str) -> Iterator[str]:
    """A server for this test process: DATABASE_URL's, or one from the wheel."""
    outside = os.environ.get("DATABASE_URL")
    if outside:
        yield outside
        return
    with short_lived() as home:
        server = embedded.start(home)
        for setting in QUICK:
            server.psql(f"ALTER SYSTEM SET {setting}")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri("postgres")
        server.cleanup()


@pytest.fixture(scope="session")
def template(server_url: str, worker_id: str) -> str:
    """The name of a migrated, empty database to copy from."""
    name = f"{TEMPLATE}_{worker_id}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    db = Database(_replace_path(server_url, name))
    migrate(db)
    db.close()
    return name


@pytest.fixture
def database_url(server_url: str, template: str, worker_id: str) -> Iterator[str]:
    """The URL of a fresh, migrated database; dropped afterwards, whoever is still connected."""
    name = f"test_{worker_id}_{os.getpid()}_{next(_counter)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    yield _replace_path(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open Database on the fresh database."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a test installation on the fresh database, with its home in a temporary directory."""
    return Settings.load(
        {
            "ENVIRONMENT": "test",
            "DATABASE_URL": database_url,
            "NUDGEPAY_HOME": str(tmp_path / "home"),
            "BUSINESS_NAME": "Atelier Nord",
            "BUSINESS_IBAN": "DE89370400440532013000",
            "FROM_EMAIL": "billing@atelier.example",
        }
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, so that no process is left with one when the others have ended."""
    long = {item.path for item in items if any(item.get_closest_marker(mark) for mark in LONG)}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Password hashes that cost next to nothing: for tests that are about something else."""
    monkeypatch.setattr(passwords, "COST", 4)
    monkeypatch.setattr(passwords, "HASHER", Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`figures(what, n=..., lost=..., ...)`: shown together after the run, also of tests in other processes."""

    def tell(what: str, **numbers: object) -> None:
        record_property("figures", f"{what}: " + ", ".join(f"{key} {value}" for key, value in numbers.items()))

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests measured; then what was skipped, and why, last."""
    told = [
        value
        for report in [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]
        for key, value in report.user_properties
        if key == "figures" and report.when == "call"
    ]
    if told:
        terminalreporter.write_sep("=", "figures")
        for line in sorted(told):
            terminalreporter.write_line(line)
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_sep("=", f"{len(skipped)} skipped on this machine")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.write_line(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under NUDGEPAY_TEST_STRICT=1 a skip fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    strict = os.environ.get("NUDGEPAY_TEST_STRICT") == "1"
    if strict and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = 1
