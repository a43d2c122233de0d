"""What a process is made of, built once at the edge and handed down in parts."""

from collections.abc import Callable
from dataclasses import dataclass

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.embedded import EmbeddedServer, start_database
from nudgepay.errors import UsageError
from nudgepay.gateways.mail import MailTransport
from nudgepay.gateways.transports import transport_for


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings, the database, the way letters leave, and the embedded server when this process holds one."""

    settings: Settings
    db: Database
    server: EmbeddedServer | None
    mail: MailTransport

    def close(self) -> None:
        """Give everything back; an embedded server stops with its last holder."""
        self.mail.close()
        self.db.close()


def build_runtime(
    settings: Settings, *, announce: Callable[[str], None] = lambda _: None, pool_size: int = 5
) -> Runtime:
    """Connect to DATABASE_URL, or start the embedded server in development and test."""
    url = settings.secret("database_url")
    if url is not None:
        return Runtime(settings, Database(url, pool_size=pool_size), None, transport_for(settings))
    if settings.environment not in {"development", "test"}:
        raise UsageError("DATABASE_URL is missing: name a PostgreSQL database")
    announce(f"No DATABASE_URL: using an own PostgreSQL under {settings.nudgepay_home}/postgres")
    server, url = start_database(settings.nudgepay_home)
    return Runtime(settings, Database(url, pool_size=pool_size), server, transport_for(settings))
