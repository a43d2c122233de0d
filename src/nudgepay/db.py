"""Engine and transactions. `transaction()` holds the only commit in the product."""

import asyncio
import contextlib
import select
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import RV, PQGen
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Engine,
    MetaData,
    Text,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from nudgepay import clock
from nudgepay.errors import OperationalError, UsageError

PATIENCE_SECONDS = 30.0
"""How long a statement may take where nobody waits at the other end of a connection."""
LONGEST_LOCK_SECONDS = 10.0
MARGIN_SECONDS = 0.5
"""We wait this much longer than the server allows, so that a server that works speaks first."""
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server whose machine is gone is noticed by the kernel within half a minute."""
APP_ROLE = "nudgepay_app"
"""The role in which everything but migrations works: it may add to the audit log, not change it."""
_TAKE_ROLE = """
SELECT set_config('role', rolname, false) FROM pg_catalog.pg_roles
 WHERE rolname = 'nudgepay_app'
   AND has_table_privilege(oid, to_regclass('public.audit_seals'), 'INSERT')
   AND pg_has_role(session_user, oid,
                   CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
"""
"""Takes the role where the migrations have made it and this login may; where not, `nudgepay doctor` says so."""


def session_options(patience_seconds: float = PATIENCE_SECONDS) -> str:
    """What the server itself shall enforce: UTC, and an end to statements, to waiting for locks and to idleness."""
    statement = int(patience_seconds * 1000)
    lock = min(int(LONGEST_LOCK_SECONDS * 1000), statement)
    return (
        f"-c timezone=UTC -c statement_timeout={statement} -c lock_timeout={lock}"
        " -c idle_in_transaction_session_timeout=60000"
    )


def _with_binary_arrays() -> AdaptersMap:
    """Arrays of ten thousand ids cost a third in binary of what they cost as quoted text."""
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(list, ListBinaryDumper)
    return adapters


ADAPTERS = _with_binary_arrays()


class DatabaseUnavailable(OperationalError):
    """PostgreSQL cannot serve this now."""


class UnstorableText(UsageError):
    """A text from outside that PostgreSQL has no way to hold; it was refused before it was sent."""


class _Connection(psycopg.Connection[Any]):
    """Waits for no answer longer than its patience: a server may accept and never answer."""

    patience = PATIENCE_SECONDS + MARGIN_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience:g} s") from error


class _AsyncConnection(psycopg.AsyncConnection[Any]):
    """The same, for the event loop."""

    patience = PATIENCE_SECONDS + MARGIN_SECONDS

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return await super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience:g} s") from error


class Base(DeclarativeBase):
    """Declarative base: instants are timestamptz, integers bigint, text text, dicts jsonb."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own class-level hook
        datetime: DateTime(timezone=True),
        date: Date(),
        int: BigInteger(),
        str: Text(),
        bool: Boolean(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


def driver_url(url: str) -> str:
    """The URL with our driver named; refuses everything but PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise UsageError("DATABASE_URL must name a PostgreSQL database: postgresql://user@host/name")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _ensure_open(connection: _Connection, *_: object) -> None:
    """What the pool asks of a connection before it lends it again. A server that ends says so, and a word that nobody
    asked for can be seen without asking: a question would cost each transaction a way there and back.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError("the server has closed this connection")


class Database:
    """One pool of connections to one PostgreSQL database."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        application: str = "nudgepay",
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`url` is any postgresql:// URL; connects lazily.

        `patience_seconds` bounds each statement, and at 5 s connecting and waiting for a free connection as well.
        """
        self.url = url
        self._application = application
        self._patience = patience_seconds
        self.engine: Engine = create_engine(
            driver_url(url),
            creator=self._connect,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=min(5, patience_seconds),
            hide_parameters=True,
        )
        event.listen(self.engine, "checkout", _ensure_open)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def _connect(self) -> _Connection:
        connection = _Connection.connect(
            libpq_url(self.url),
            connect_timeout=min(5, int(self._patience)),
            application_name=self._application,
            options=session_options(self._patience),
            context=ADAPTERS,
            **KEEPALIVES,
        )
        connection.patience = self._patience + MARGIN_SECONDS
        connection.execute(_TAKE_ROLE)
        connection.commit()
        return connection

    @contextmanager
    def as_owner(self) -> Iterator[Connection]:
        """A connection that keeps the rights of its login, for what changes the schema.

        All others are made anew after it, because what they may do has changed.
        """
        try:
            with outage_told(), self.engine.connect() as opened:
                opened.execute(text("SET ROLE NONE"))
                opened.commit()
                try:
                    yield opened
                finally:
                    opened.invalidate()
        finally:
            self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error.

        Raises DatabaseUnavailable when the server is gone, too busy, silent or read-only.
        """
        session = self._sessions()
        try:
            with outage_told():
                yield session
                session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection without a transaction of ours; raises DatabaseUnavailable as `transaction` does."""
        with outage_told(), self.engine.connect() as opened:
            yield opened

    @contextmanager
    def independent(self) -> Iterator[Session]:
        """A transaction beside the caller's own, for the few records that must survive its rollback."""
        with self.transaction() as session:
            yield session

    @contextmanager
    def advisory_lock(self, key: int, *, shared: bool, wait_seconds: float) -> Iterator[bool]:
        """Hold a lock of the whole installation across transactions, on a connection of its own.

        Yields False when it did not become free in time. It ends with the block, or with the process.
        """
        suffix = "_shared" if shared else ""
        deadline = clock.monotonic() + wait_seconds
        with self.connection() as opened:
            connection = opened.execution_options(isolation_level="AUTOCOMMIT")
            ask = text(f"SELECT pg_try_advisory_lock{suffix}(:key)")
            while not (held := bool(connection.scalar(ask, {"key": key}))) and clock.monotonic() < deadline:
                threading.Event().wait(0.1)
            try:
                yield held
            finally:
                if held and not connection.invalidated:
                    with suppress(DBAPIError):
                        connection.execute(text(f"SELECT pg_advisory_unlock{suffix}(:key)"), {"key": key})

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def ping(self) -> None:
        """Raise DatabaseUnavailable unless the server answers."""
        with self.transaction() as session:
            session.execute(text("SELECT 1"))


@contextmanager
def outage_told() -> Iterator[None]:
    """Turns what an outage raises into DatabaseUnavailable, a text with a NUL into UnstorableText; bugs stay bugs."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("no database connection became free in time") from error
    except DBAPIError as error:
        if is_outage(error):
            raise DatabaseUnavailable(f"the database cannot serve this now ({_sqlstate(error)})") from error
        if isinstance(error.orig, psycopg.DataError) and error.orig.sqlstate is None:
            raise UnstorableText("a text holds a NUL character, which no text may hold; remove it") from None
        raise


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or type(error.orig).__name__


def is_outage(error: DBAPIError) -> bool:
    """True when trying later may help: connection lost (08), resources (53), shutdown (57), read-only,
    lock not available, deadlock or serialization failure."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        is_outside = isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
        return error.connection_invalidated or is_outside
    return state[:2] in {"08", "53", "57"} or state in {"25006", "55P03", "40P01", "40001"}


def libpq_url(url: str) -> str:
    """The URL as PostgreSQL's own library understands it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def notifications(url: str, channel: str) -> AsyncIterator[str]:
    """The payloads sent to a channel from now on; raises DatabaseUnavailable when the connection is lost."""
    try:
        connection = await psycopg.AsyncConnection.connect(
            libpq_url(url), autocommit=True, connect_timeout=5, **KEEPALIVES
        )
        async with connection:
            await take_role(connection)
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            async for heard in connection.notifies():
                yield heard.payload
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"notifications are not heard any more ({type(error).__name__})") from error


async def take_role(connection: psycopg.AsyncConnection[Any]) -> None:
    """Work in the application's role where it is in force: for connections that others open."""
    await connection.execute(_TAKE_ROLE)
    if not connection.autocommit:
        await connection.commit()


class AsyncStatements:
    """Single statements on an asynchronous connection of their own, each its own transaction (autocommit)."""

    def __init__(self, url: str, *, patience_seconds: float = 2.5) -> None:
        """Connects with the first statement; `patience_seconds` bounds connecting, and each statement."""
        self._conninfo = libpq_url(url)
        self._patience = patience_seconds
        self._connection: _AsyncConnection | None = None

    async def run(self, statement: str, values: list[Any]) -> None:
        """Execute and commit; raises DatabaseUnavailable when that is not certain."""
        try:
            connection = await self._connected()
            await connection.execute(statement.encode(), values)
        except (psycopg.Error, TimeoutError, OSError) as error:
            await self.close()
            raise DatabaseUnavailable(f"the database cannot serve this now ({type(error).__name__})") from error

    async def close(self) -> None:
        """Drop the connection; the next statement opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    async def _connected(self) -> _AsyncConnection:
        if self._connection is None or self._connection.closed:
            opening = _AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                connect_timeout=int(self._patience),
                options=session_options(self._patience),
                context=ADAPTERS,
                **KEEPALIVES,
            )
            self._connection = await asyncio.wait_for(opening, self._patience + MARGIN_SECONDS)
            self._connection.patience = self._patience + MARGIN_SECONDS
            await take_role(self._connection)
        return self._connection
