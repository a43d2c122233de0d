"""The operators' pages, asked through the application's own interface by a signed-in operator."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from starlette.testclient import TestClient

from nudgepay.config import Settings
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.app import create_app
from web.ui.desk import Desk
from web.ui.lived_in import live_in


@pytest.fixture
def desk(runtime: Runtime) -> Iterator[Desk]:
    """A superadmin's."""
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        yield Desk(client, runtime)


@pytest.fixture(scope="session")
def lived_in(
    server_url: str, template: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A database in which some days have passed, to copy from, and the home with its letters; made once."""
    name, home = f"lived_in_{worker_id}", tmp_path_factory.mktemp("lived-in")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    given = {"ENVIRONMENT": "test", "DATABASE_URL": url, "NUDGEPAY_HOME": str(home), "BUSINESS_NAME": "Atelier Nord"}
    runtime = build_runtime(Settings.load(given))
    live_in(runtime)
    runtime.close()
    return name, home


@pytest.fixture
def lived(lived_in: tuple[str, Path], server_url: str, runtime: Runtime) -> Iterator[Desk]:
    """A superadmin's desk over books that have been lived in."""
    name, home = lived_in
    copy = f"{name}_copy"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')
    url = make_url(server_url).set(database=copy).render_as_string(hide_password=False)
    given = {"ENVIRONMENT": "test", "DATABASE_URL": url, "NUDGEPAY_HOME": str(home)}
    settings = Settings.load(given | {"BASE_URL": runtime.settings.base_url, "BUSINESS_NAME": "Atelier Nord"})
    copied = build_runtime(settings)
    with TestClient(create_app(copied), follow_redirects=False) as client:
        yield Desk(client, copied)
    copied.close()
