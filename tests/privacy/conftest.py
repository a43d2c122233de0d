"""Books that have been lived in, and a person in them who left traces everywhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from nudgepay.config import Settings
from nudgepay.runtime import Runtime, build_runtime
from web.ui.lived_in import live_in

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def lived_books(
    server_url: str, template: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """The name of the database to copy from, and the home of its letters."""
    name, home = f"lived_private_{worker_id}", tmp_path_factory.mktemp("lived-private")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    runtime = _runtime(server_url, name, home)
    live_in(runtime, now=NOW)
    with runtime.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE letters SET state = 'accepted' WHERE state = 'unknown'")
    runtime.close()
    return name, home


@pytest.fixture
def books(lived_books: tuple[str, Path], server_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A copy that a test may spoil."""
    name, home = lived_books
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}_copy" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}" STRATEGY FILE_COPY')
    runtime = _runtime(server_url, f"{name}_copy", home, ledger=tmp_path / "erasures")
    yield runtime
    runtime.close()


def _runtime(server_url: str, name: str, home: Path, *, ledger: Path | None = None) -> Runtime:
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    return runtime_over(url, home, ledger=ledger or home / "erasures")


def runtime_over(url: str, home: Path, *, ledger: Path) -> Runtime:
    """A test installation over a database that is there."""
    given = {"ENVIRONMENT": "test", "DATABASE_URL": url, "NUDGEPAY_HOME": str(home), "BUSINESS_NAME": "Atelier Nord"}
    given["ERASURE_LEDGER_DIR"] = str(ledger)
    return build_runtime(Settings.load(given))
