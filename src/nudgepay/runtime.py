"""What a process is made of, built once at the edge and handed down in parts."""

from collections.abc import Callable
from dataclasses import dataclass

from nudgepay.config import Settings
from nudgepay.db import PATIENCE_SECONDS, Database
from nudgepay.embedded import EmbeddedServer, start_database
from nudgepay.errors import UsageError
from nudgepay.gateways.mail import AcceptanceSource, MailTransport
from nudgepay.gateways.stripe import StripeGateway
from nudgepay.gateways.transports import receipts_for, transport_for

BESIDE_LETTERS = 4
"""Connections for all that runs beside the letters on their way, each of which needs one to be settled."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings, the database, the way letters leave, and the embedded server when this process holds one."""

    settings: Settings
    db: Database
    mail: MailTransport
    receipts: AcceptanceSource
    stripe: StripeGateway | None
    server: EmbeddedServer | None = None

    def close(self) -> None:
        """Give everything back; an embedded server stops with its last holder."""
        self.mail.close()
        self.db.close()


def build_runtime(
    settings: Settings,
    *,
    announce: Callable[[str], None] = lambda _: None,
    pool_size: int = 5,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Runtime:
    """Connect to DATABASE_URL, or start the embedded server in development and test.

    `patience_seconds`: how long a statement may take.
    """
    url = settings.secret("database_url")
    server: EmbeddedServer | None = None
    if url is None:
        if settings.environment not in {"development", "test"}:
            raise UsageError("DATABASE_URL is missing: name a PostgreSQL database")
        announce(f"No DATABASE_URL: using an own PostgreSQL under {settings.nudgepay_home}/postgres")
        server, url = start_database(settings.nudgepay_home)
    return Runtime(
        settings=settings,
        db=Database(
            url,
            pool_size=max(pool_size, settings.smtp_pool_size + BESIDE_LETTERS),
            patience_seconds=patience_seconds,
        ),
        mail=transport_for(settings),
        receipts=receipts_for(settings),
        stripe=_stripe(settings),
        server=server,
    )


def _stripe(settings: Settings) -> StripeGateway | None:
    if settings.secret("stripe_secret_key") is None:
        return None
    return StripeGateway(
        api_key=lambda: settings.secret("stripe_secret_key") or "", base_url=settings.stripe_api_base
    )
