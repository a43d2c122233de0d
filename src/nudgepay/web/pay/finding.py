"""From a mailed token to its page. An unknown token costs the same two look-ups as a known one."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client, Contact, Invoice, InvoiceDocument
from nudgepay.invoices.queries import contact_by_token, invoice_by_token, invoices_of_page
from nudgepay.nudges.answers import Dispute, PaymentClaim, Promise
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.models import Letter, Reminder
from nudgepay.web.client_address import client_address
from nudgepay.web.misses import Misses
from nudgepay.web.pay.page import Line, PayerPage

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
NO_TOKEN = "-"  # noqa: S105  # no secret
"""Looked up in the place of what cannot be a token; no row has it."""


class UnknownLink(NotFound):
    """No page has this token."""


class _Answers(NamedTuple):
    disputed: dict[int, int | None]
    promised: dict[int, date]
    claimed: dict[int, datetime]
    documents: dict[int, str]


def open_page(request: Request, session: Session, token: str, *, now: datetime) -> PayerPage:
    """The page behind a token; raises UnknownLink, and TooManyUnknownLinks for whoever guesses."""
    page = _guarded(request, lambda: find_page(session, _sane(token), now=now))
    assert isinstance(page, PayerPage)
    return page


def open_contact(request: Request, session: Session, token: str) -> Contact:
    """The contact behind a token; raises as `open_page` does."""
    contact = _guarded(request, lambda: contact_by_token(session, _sane(token)))
    assert isinstance(contact, Contact)
    return contact


def open_statement(request: Request, session: Session, token: str) -> Mailing:
    """The statement of account that was mailed with a token; raises as `open_page` does."""
    query = select(Mailing).where(Mailing.token == _sane(token), Mailing.kind == "statement")
    found = _guarded(request, lambda: session.scalar(query))
    assert isinstance(found, Mailing)
    return found


def open_document(request: Request, session: Session, token: str) -> InvoiceDocument:
    """The document of an invoice that is no draft, by its token; raises as `open_page` does."""
    query = (
        select(InvoiceDocument).join(Invoice).where(InvoiceDocument.token == _sane(token), Invoice.status != "draft")
    )
    found = _guarded(request, lambda: session.scalar(query))
    assert isinstance(found, InvoiceDocument)
    return found


def _guarded(request: Request, find: Any) -> object:
    misses: Misses = request.app.state.misses
    address = client_address(request.scope, request.app.state.runtime.settings.trusted_proxies)
    misses.ensure_may_ask(address)
    found: object | None = find()
    if found is None:
        misses.record(address)
        raise UnknownLink("no page has this link")
    return found


def _sane(token: str) -> str:
    return token if TOKEN.fullmatch(token) else NO_TOKEN


def find_page(session: Session, token: str, *, now: datetime) -> PayerPage | None:
    """The page of an invoice's or a letter's token, or None. An invoice that is a draft has no page."""
    invoice = invoice_by_token(session, token)
    letter = session.execute(
        select(Letter.id, Letter.client_id, Letter.contact_id, Letter.locale).where(Letter.token == token)
    ).one_or_none()
    if invoice is not None and invoice.status != "draft":
        contact = _reader_of(session, invoice.client_id)
        return _page(session, f"invoice:{invoice.id}", token, [invoice], contact, None, now)
    if letter is None:
        return None
    ids = session.scalars(select(Reminder.invoice_id).where(Reminder.letter_id == letter.id)).all()
    invoices = [found for found in invoices_of_page(session, set(ids)) if found.client_id == letter.client_id]
    contact = session.get_one(Contact, letter.contact_id)
    return _page(session, f"letter:{letter.id}", token, invoices, contact, letter.locale, now) if invoices else None


def _reader_of(session: Session, client_id: int) -> Contact | None:
    """Who would read an invoice's page: the first billing contact, else the first approver."""
    query = select(Contact).where(
        Contact.client_id == client_id, Contact.role != "copy", Contact.removed_at.is_(None)
    )
    return session.scalars(query.order_by(Contact.role != "billing", Contact.id)).first()


def _page(
    session: Session,
    key: str,
    token: str,
    invoices: Sequence[Invoice],
    contact: Contact | None,
    locale: str | None,
    now: datetime,
) -> PayerPage:
    client = session.get_one(Client, invoices[0].client_id)
    answers = _answers(session, [invoice.id for invoice in invoices], now)
    return PayerPage(
        key=key,
        token=token,
        client_id=client.id,
        contact_id=contact.id if contact else None,
        email=contact.email if contact else None,
        locale=locale or (contact.locale if contact else None) or client.locale,
        timezone=client.timezone,
        country=client.country,
        currency=invoices[0].currency,
        lines=tuple(_line(invoice, answers) for invoice in invoices),
    )


def _line(invoice: Invoice, answers: _Answers) -> Line:
    disputed = answers.disputed.get(invoice.id, 0)
    remaining = max(0, invoice.amount_remaining)
    return Line(
        invoice_id=invoice.id,
        number=invoice.number,
        description=invoice.description,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        amount_due=invoice.amount_due,
        amount_paid=invoice.amount_paid,
        status=invoice.status,
        money_state=invoice.money_state,
        version=invoice.version,
        disputed=remaining if disputed is None else min(disputed, remaining),
        promised_on=answers.promised.get(invoice.id),
        claimed_until=answers.claimed.get(invoice.id),
        document=answers.documents.get(invoice.id),
    )


def _answers(session: Session, ids: list[int], now: datetime) -> _Answers:
    def by_invoice(query: Any) -> dict[int, Any]:
        return dict(map(tuple, session.execute(query)))

    whole = func.bool_or(Dispute.amount.is_(None))
    disputes = select(Dispute.invoice_id, whole, func.sum(Dispute.amount)).where(
        Dispute.invoice_id.in_(ids), Dispute.resolved_at.is_(None)
    )
    return _Answers(
        disputed={
            invoice_id: None if is_whole else int(amount)
            for invoice_id, is_whole, amount in session.execute(disputes.group_by(Dispute.invoice_id))
        },
        promised=by_invoice(
            select(Promise.invoice_id, Promise.promised_on).where(
                Promise.invoice_id.in_(ids), Promise.state == "pending"
            )
        ),
        claimed=by_invoice(
            select(PaymentClaim.invoice_id, func.max(PaymentClaim.until))
            .where(PaymentClaim.invoice_id.in_(ids), PaymentClaim.settled_at.is_(None), PaymentClaim.until > now)
            .group_by(PaymentClaim.invoice_id)
        ),
        documents=by_invoice(
            select(InvoiceDocument.invoice_id, InvoiceDocument.token).where(InvoiceDocument.invoice_id.in_(ids))
        ),
    )
