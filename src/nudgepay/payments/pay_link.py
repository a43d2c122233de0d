"""From a payer's click to a Checkout Session: our intent first, then Stripe, then what came of it.

The idempotency key holds the page, the version of its invoices and the amount, so that the same click twice opens
one session, and an edited or partly paid invoice a new one. Of all sessions that could be paid for an invoice one
stays open: the one clicked last; the others are expired at Stripe before the payer is sent there.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from nudgepay import ledger
from nudgepay.db import Database
from nudgepay.errors import Conflict
from nudgepay.gateways.stripe import (
    AmountNotPayable,
    StripeGateway,
    StripeKeyRejected,
    StripeKeyReused,
    StripeOutcomeUnknown,
    StripeRefused,
    StripeUnavailable,
)
from nudgepay.payments.clicks import Click, Intent, NothingToPay, PaymentInFlight, PayPage, TooMuch, Verdict
from nudgepay.payments.closing import Candidate, close_candidate, close_session, find_session, retire
from nudgepay.payments.intending import intend, settle_intent, url_of
from nudgepay.payments.invoice_looks import look_before_paying

__all__ = ["NothingToPay", "PayPage", "PaymentInFlight", "Superseded", "TooMuch", "open_checkout"]

ROUNDS = 3
"""How often one click starts again because the invoices changed, or an earlier session came to nothing."""
STILL_IN_FLIGHT = timedelta(minutes=2)
"""Longer than any call to Stripe takes with all its tries."""
KEY_REJECTED = "stripe.key_rejected"


class Superseded(Conflict):
    """Another payment page was opened for the same invoices at the same time; that one counts."""


def open_checkout(
    db: Database,
    gateway: StripeGateway,
    *,
    page: PayPage,
    amount: int | None,
    success_url: str,
    cancel_url: str,
    now: datetime,
) -> str:
    """The URL of a hosted page for `amount` minor units (None: all that is claimed).

    Raises NothingToPay, PaymentInFlight, TooMuch, Superseded; AmountNotPayable when Stripe cannot take the amount;
    StripeUnavailable and StripeOutcomeUnknown when the payer should try again in a moment: the next click finds
    what this one may have made. A rejected key opens the notice `stripe.key_rejected`.
    """
    click = Click(page, amount, success_url, cancel_url)
    look_before_paying(db, gateway, page.invoice_ids, now=now)
    try:
        for _ in range(ROUNDS):
            url = _try_once(db, gateway, click, now=now)
            if url is not None:
                return url
    except StripeKeyRejected:
        with db.transaction() as session:
            ledger.notice(session, KEY_REJECTED, KEY_REJECTED)
        raise
    raise StripeOutcomeUnknown("the invoices keep changing while they are being paid: try again in a moment")


def _try_once(db: Database, gateway: StripeGateway, click: Click, *, now: datetime) -> str | None:
    """A URL, or None when the click must be looked at again."""
    with db.transaction() as session:
        intent = intend(session, click, now=now)
    for other in intent.others:
        _close_other(db, gateway, other, now=now)
    if intent.session_id is not None:
        return _reuse(db, gateway, intent, now=now)
    made = _make(db, gateway, click, intent, now=now)
    if isinstance(made, str) or made is None:
        return made
    return _settle(db, gateway, intent, made, now=now)


def _close_other(db: Database, gateway: StripeGateway, other: Candidate, *, now: datetime) -> None:
    """An older session for these invoices must not be paid any more. One in flight is settled by its own click."""
    if other.session_id is None and now - other.created_at < STILL_IN_FLIGHT:
        return
    if close_candidate(db, gateway, other, now=now) == "complete":
        raise PaymentInFlight("a payment is on its way; please wait until it has arrived")


def _reuse(db: Database, gateway: StripeGateway, intent: Intent, *, now: datetime) -> str | None:
    """The session of an earlier click for the same claim, if it still can be paid."""
    try:
        found = gateway.retrieve_checkout_session(str(intent.session_id))
    except StripeUnavailable:
        return intent.url
    except StripeRefused as error:
        if error.http_status != 404:
            raise
        found = {"status": "unknown"}
    return _usable(db, intent, found, now=now)


def _usable(db: Database, intent: Intent, found: dict[str, Any], *, now: datetime) -> str | None:
    if found["status"] == "complete":
        raise PaymentInFlight("a payment is on its way; please wait until it has arrived")
    if found["status"] == "open":
        return str(found["url"])
    retire(db, intent.id, now=now)
    return None


def _make(
    db: Database, gateway: StripeGateway, click: Click, intent: Intent, *, now: datetime
) -> dict[str, Any] | str | None:
    """The session that the intent asks for; a URL when a click at the same moment had it made; None: look again."""
    if not intent.is_young or not intent.says_the_same:
        return _look(db, gateway, intent, is_final=not intent.is_young, now=now)
    try:
        return _create(gateway, click, intent)
    except StripeOutcomeUnknown as error:
        if error.is_replay:
            return _look(db, gateway, intent, is_final=True, now=now)
        with db.transaction() as session:
            url = url_of(session, intent.id)
        if url is None:
            raise
        return url
    except StripeKeyReused:
        return _look(db, gateway, intent, is_final=False, now=now)
    except StripeKeyRejected:
        raise
    except (StripeRefused, AmountNotPayable):
        retire(db, intent.id, now=now)
        raise


def _look(
    db: Database, gateway: StripeGateway, intent: Intent, *, is_final: bool, now: datetime
) -> dict[str, Any] | None:
    """What became of an intent whose key cannot be repeated: Stripe is asked by metadata before a new key is used.

    Nothing usable there: the intent is given up, and None lets the click start again with a key of its own. Unless
    `is_final`, the first call may still be on its way; then nothing is concluded from its absence.
    """
    found = find_session(gateway, intent.candidate)
    if found is None and not is_final and now - intent.created_at < STILL_IN_FLIGHT:
        raise StripeOutcomeUnknown("a payment page is being opened for these invoices: try again in two minutes")
    if found is None:
        retire(db, intent.id, now=now)
        return None
    return found if _usable(db, intent, found, now=now) is not None else None


def _create(gateway: StripeGateway, click: Click, intent: Intent) -> dict[str, Any]:
    page = click.page
    return gateway.create_checkout_session(
        amount=intent.amount,
        currency=page.currency,
        description=page.description,
        success_url=click.success_url,
        cancel_url=click.cancel_url,
        metadata={
            "nudgepay_page": page.key,
            "nudgepay_client": str(page.client_id),
            "nudgepay_checkout": str(intent.id),
            "nudgepay_version": str(intent.version),
        },
        idempotency_key=intent.key,
        locale=page.locale,
        customer_email=page.payer_email,
    )


def _settle(
    db: Database, gateway: StripeGateway, intent: Intent, made: dict[str, Any], *, now: datetime
) -> str | None:
    """Remember the session, and look whether it still is the one to pay."""
    with db.transaction() as session:
        verdict = settle_intent(
            session,
            intent.id,
            session_id=made["id"],
            url=made["url"],
            expires_at=datetime.fromtimestamp(made["expires_at"], UTC),
        )
        ledger.resolve_notice(session, KEY_REJECTED, actor="payer")
    if not verdict.is_current:
        _give_up(db, gateway, intent, made, now=now)
        if verdict.is_superseded:
            raise Superseded("another payment page was opened for these invoices: use that one, or try again")
        return None
    _close_overtaken(db, gateway, intent, made, verdict, now=now)
    return str(made["url"])


def _close_overtaken(
    db: Database, gateway: StripeGateway, intent: Intent, made: dict[str, Any], verdict: Verdict, *, now: datetime
) -> None:
    """Clicks that were on their way when this one began are closed now; one that was paid closes this one."""
    try:
        for other in verdict.others:
            _close_other(db, gateway, other, now=now)
    except PaymentInFlight:
        _give_up(db, gateway, intent, made, now=now)
        raise


def _give_up(db: Database, gateway: StripeGateway, intent: Intent, made: dict[str, Any], *, now: datetime) -> None:
    close_session(gateway, made["id"])
    retire(db, intent.id, now=now)
