"""What a click may pay, decided under the client's lock and written down before Stripe is asked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import NotFound
from nudgepay.gateways.stripe_amounts import to_stripe
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.payments.clicks import Click, Intent, NothingToPay, PaymentInFlight, PayPage, TooMuch, Verdict
from nudgepay.payments.closing import UNFINISHED, Candidate
from nudgepay.payments.models import CheckoutSession

ACTOR = "payer"
KEY_LIFE = timedelta(hours=23)
"""A key is repeated only while Stripe surely remembers it: 24 hours (docs.stripe.com/api/idempotent_requests)."""
SESSION_MARGIN = timedelta(minutes=5)
"""A session that ends so soon is not offered any more."""


def intend(session: Session, click: Click, *, now: datetime) -> Intent:
    """Decide what the click pays, and write it down; the checkout of an earlier click for the same is taken again.

    `version` is the sum of the versions of all the page's invoices: versions only grow, so no two states of the
    page share it. Raises NothingToPay, PaymentInFlight, TooMuch, AmountNotPayable, NotFound.
    """
    page = click.page
    lock_client(session, page.client_id)
    invoices = _invoices_of(session, page)
    payable = sorted((i for i in invoices if i.status == "open"), key=lambda i: (i.due_on, i.id))
    lines = _lines_of(session, click, payable)
    amount = sum(line["amount"] for line in lines)
    to_stripe(amount, page.currency)
    version = sum(invoice.version for invoice in invoices)
    prefix = f"np:{page.key}:{version}:{amount}:pay:"
    rows = _unfinished(session, page.client_id, {line["invoice_id"] for line in lines})
    mine = next((row for row in reversed(rows) if _is_same(row, prefix, lines, now)), None)
    if mine is None:
        mine = _write(session, page, lines, prefix=prefix, fingerprint=click.fingerprint, now=now)
    others = tuple(_candidate(row) for row in rows if row.id != mine.id)
    return Intent(
        id=mine.id,
        key=mine.idempotency_key,
        amount=amount,
        version=version,
        created_at=mine.created_at,
        session_id=mine.session_id,
        url=mine.url,
        is_young=now - mine.created_at < KEY_LIFE,
        says_the_same=mine.idempotency_key.endswith(f":{click.fingerprint}"),
        others=others,
    )


def settle_intent(session: Session, checkout_id: int, *, session_id: str, url: str, expires_at: datetime) -> Verdict:
    """Remember the session that was made; it is current unless a later click or a payment overtook it."""
    row = session.get_one(CheckoutSession, checkout_id)
    lock_client(session, row.client_id)
    session.refresh(row, with_for_update=True)
    row.session_id, row.url, row.expires_at = session_id, url, expires_at
    asked = {int(line["invoice_id"]): int(line["amount"]) for line in row.lines}
    rows = [other for other in _unfinished(session, row.client_id, asked) if other.id != row.id]
    is_superseded = row.expired_at is not None or any(other.id > row.id for other in rows)
    invoices = {invoice.id: invoice for invoice in lock_invoices(session, asked)}
    is_owed = all(
        invoice.status == "open" and invoice.amount_remaining >= asked[invoice.id] for invoice in invoices.values()
    )
    return Verdict(
        is_current=is_owed and not is_superseded,
        is_superseded=is_superseded,
        others=tuple(_candidate(other) for other in rows if other.session_id is not None),
    )


def url_of(session: Session, checkout_id: int) -> str | None:
    """The URL that a click at the same moment may have brought for the same checkout."""
    return session.scalar(select(CheckoutSession.url).where(CheckoutSession.id == checkout_id))


def _invoices_of(session: Session, page: PayPage) -> list[Invoice]:
    invoices = lock_invoices(session, page.invoice_ids)
    ours = [i for i in invoices if i.client_id == page.client_id and i.currency == page.currency]
    if not ours or len(ours) != len(set(page.invoice_ids)):
        raise NotFound("the page's invoices are not all of one client and currency")
    return invoices


def _lines_of(session: Session, click: Click, payable: Sequence[Invoice]) -> list[dict[str, int]]:
    """How the amount falls on the invoices: what is claimed first, oldest first; then what is contested."""
    contested = {i.id: min(click.page.contested.get(i.id, 0), i.amount_remaining) for i in payable}
    claimed = {i.id: i.amount_remaining - contested[i.id] for i in payable}
    wanted = sum(claimed.values()) if click.amount is None else click.amount
    if sum(i.amount_remaining for i in payable) <= 0 or (click.amount is None and wanted <= 0):
        raise NothingToPay("everything on this page is settled or contested")
    if _is_in_flight(session, click.page.client_id, payable):
        raise PaymentInFlight("a payment is on its way; please wait until it has arrived")
    if not 0 < wanted <= sum(i.amount_remaining for i in payable):
        raise TooMuch("the amount must be positive and at most what is open")
    parts = dict(_spread(wanted, claimed))
    for invoice_id, part in _spread(wanted - sum(parts.values()), contested):
        parts[invoice_id] = parts.get(invoice_id, 0) + part
    return [{"invoice_id": i.id, "amount": parts[i.id]} for i in payable if i.id in parts]


def _spread(amount: int, room: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    for invoice_id, most in room.items():
        part = min(amount, most)
        if part > 0:
            yield invoice_id, part
        amount -= part


def _is_in_flight(session: Session, client_id: int, payable: Sequence[Invoice]) -> bool:
    """By the invoice's state, and by the checkouts themselves: a doubt about an invoice hides its payment."""
    if any(invoice.money_state == "in_payment" for invoice in payable):
        return True
    query = select(CheckoutSession).where(
        CheckoutSession.client_id == client_id,
        CheckoutSession.completed_unpaid_at.is_not(None),
        CheckoutSession.succeeded_at.is_(None),
        CheckoutSession.failed_at.is_(None),
    )
    ids = {invoice.id for invoice in payable}
    return any(_touches(row, ids) for row in session.scalars(query))


def _unfinished(session: Session, client_id: int, invoice_ids: Collection[int]) -> list[CheckoutSession]:
    """Checkouts, oldest first, that could still be paid (or whose making is in doubt) for any of these invoices."""
    query = select(CheckoutSession).where(CheckoutSession.client_id == client_id, *UNFINISHED)
    return [row for row in session.scalars(query.order_by(CheckoutSession.id)) if _touches(row, invoice_ids)]


def _touches(row: CheckoutSession, invoice_ids: Collection[int]) -> bool:
    return any(int(line["invoice_id"]) in invoice_ids for line in row.lines)


def _is_same(row: CheckoutSession, prefix: str, lines: list[dict[str, int]], now: datetime) -> bool:
    ends_soon = row.expires_at is not None and row.expires_at <= now + SESSION_MARGIN
    return row.idempotency_key.startswith(prefix) and row.lines == lines and not ends_soon


def _write(
    session: Session, page: PayPage, lines: list[dict[str, int]], *, prefix: str, fingerprint: str, now: datetime
) -> CheckoutSession:
    used = select(func.count()).where(CheckoutSession.idempotency_key.startswith(prefix, autoescape=True))
    row = CheckoutSession(
        page=page.key,
        client_id=page.client_id,
        lines=lines,
        amount=sum(line["amount"] for line in lines),
        currency=page.currency,
        idempotency_key=f"{prefix}{(session.scalar(used) or 0) + 1}:{fingerprint}",
        created_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=ACTOR,
        action="checkout.open",
        subject=f"checkout_sessions:{row.id}",
        after={"amount": row.amount, "currency": row.currency, "lines": lines},
    )
    return row


def _candidate(row: CheckoutSession) -> Candidate:
    return Candidate(row.id, row.session_id, row.created_at)
