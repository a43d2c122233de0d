"""The transport and the source of acceptance that the settings ask for."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from nudgepay.config import Settings
from nudgepay.errors import UsageError
from nudgepay.gateways.idempotency import IdempotentTransport
from nudgepay.gateways.mail import AcceptanceSource, MailTransport, NoReceipts, SenderNotReady
from nudgepay.gateways.outbox import Outbox
from nudgepay.gateways.postfix_log import PostfixLog
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay
from nudgepay.gateways.smtp_dialogue import Conversation


def transport_for(settings: Settings) -> MailTransport:
    """MAIL_TRANSPORT's choice. Nothing is opened before the first letter."""
    if settings.mail_transport == "outbox":
        return Outbox(settings.nudgepay_home / "outbox")
    smtp = SmtpTransport(
        _relay(settings), password=lambda: settings.secret("smtp_password"), pool_size=settings.smtp_pool_size
    )
    signing = _signing(smtp, settings)
    if settings.smtp_idempotency_header is None:
        return signing
    return IdempotentTransport(signing, settings.smtp_idempotency_header)


def _signing(smtp: SmtpTransport, settings: Settings) -> MailTransport:
    if settings.dkim_domain is None or settings.dkim_selector is None or settings.dkim_key_file is None:
        return smtp
    from nudgepay.gateways.dkim_signing import SigningTransport, signer_from  # noqa: PLC0415  # DNS and RSA, for who signs

    signer = signer_from(
        domain=settings.dkim_domain, selector=settings.dkim_selector, key_file=settings.dkim_key_file
    )
    return SigningTransport(smtp, signer)


def receipts_for(settings: Settings) -> AcceptanceSource:
    """Where acceptance can be read back: the outbox itself, or what SMTP_RECEIPTS names."""
    if settings.mail_transport == "outbox":
        return Outbox(settings.nudgepay_home / "outbox")
    if settings.smtp_receipts == "none":
        return NoReceipts()
    scheme, _, path = settings.smtp_receipts.partition(":")
    if scheme == "postfix" and path:
        return PostfixLog(Path(path))
    raise UsageError("SMTP_RECEIPTS: use none, or postfix:PATH of the relay's log")


def probe_transport(settings: Settings) -> str:
    """Open the way that letters take, as far as it goes without one; returns what was found.

    Raises SenderNotReady, or UsageError without a relay.
    """
    if settings.mail_transport == "outbox":
        directory = settings.nudgepay_home / "outbox"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SenderNotReady(f"{directory} cannot be written ({type(error).__name__})") from error
        return f"letters go to files in {directory}"
    relay = _relay(settings)
    Conversation(relay, ssl.create_default_context(), lambda: settings.secret("smtp_password")).leave()
    signed_in = "and takes our credentials" if relay.username else "without credentials"
    return f"{relay.host}:{relay.port} answers ({relay.security}) {signed_in}"


def _relay(settings: Settings) -> Relay:
    if not settings.smtp_host:
        raise UsageError("SMTP_HOST is missing while MAIL_TRANSPORT is smtp: name your relay")
    return Relay(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        helo=settings.from_email.rpartition("@")[2],
        username=settings.smtp_username,
        step_timeout=settings.smtp_timeout_seconds,
    )


def forget_messages(settings: Settings, message_ids: Iterable[str]) -> None:
    """Take messages out of the local outbox, where there is one."""
    if settings.mail_transport == "outbox":
        outbox = Outbox(settings.nudgepay_home / "outbox")
        for message_id in message_ids:
            outbox.forget(message_id)
