"""A PostgreSQL of this process's own, with a fresh, migrated database for each test."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from faults.servers import OwnServer, own_server
from nudgepay.db import Database
from nudgepay.schema_lifecycle.migrate import migrate

_numbers = itertools.count()


@dataclass(frozen=True)
class OwnDatabase:
    """A database and the server that a test may ill-treat."""

    server: OwnServer
    name: str
    db: Database

    def url(self) -> str:
        return self.server.url(self.name)

    def cut(self) -> None:
        """End every connection to it."""
        self.db.close()
        for pid in self.server.backends(self.name):
            self.server.ask(f"SELECT pg_terminate_backend({pid})")


@pytest.fixture(scope="session")
def server() -> Iterator[OwnServer]:
    with own_server(settings=("max_connections=60",)) as made:
        made.ask("CREATE DATABASE template")
        db = Database(made.url("template"))
        migrate(db)
        db.close()
        yield made


@pytest.fixture
def own(server: OwnServer) -> Iterator[OwnDatabase]:
    name = f"own{next(_numbers)}"
    server.ask(f"CREATE DATABASE {name} TEMPLATE template STRATEGY FILE_COPY")
    db = Database(server.url(name))
    yield OwnDatabase(server, name, db)
    db.close()
    if not server.is_running():
        server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
