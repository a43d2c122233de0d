"""`/outbox` and `/outbox/...`: a mailbox of everything that went out, with the payers' links beside it."""

import uuid
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape
from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.invoices.models import Client, Contact, Invoice
from nudgepay.money import format_money
from nudgepay.nudges.models import Letter, Reminder
from nudgepay.web.assets import asset_url
from nudgepay.web.deps import SessionDep

router = APIRouter()
PAGE_SIZE = 200
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(), trim_blocks=True
)
_LETTER_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
"""A mail carries inline styles; it is shown in a sandboxed frame and may do nothing else."""


@router.get("/outbox", response_class=HTMLResponse)
def mailbox(session: SessionDep) -> HTMLResponse:
    """Every letter, newest first, and the pay page of every invoice that is still open."""
    letters = session.execute(
        select(Letter, Client.name, Contact.name)
        .join(Client, Client.id == Letter.client_id)
        .join(Contact, Contact.id == Letter.contact_id)
        .order_by(Letter.sending_at.desc(), Letter.id)
        .limit(PAGE_SIZE)
    ).all()
    steps = _steps_by_letter(session, [letter.id for letter, _, _ in letters])
    rows = [
        {
            "letter": letter,
            "client": client,
            "contact": contact,
            "amount": format_money(letter.amount, letter.currency, letter.locale),
            "steps": steps.get(letter.id, []),
        }
        for letter, client, contact in letters
    ]
    open_invoices = session.execute(
        select(Invoice, Client)
        .join(Client, Client.id == Invoice.client_id)
        .where(Invoice.status == "open")
        .order_by(Invoice.due_on, Invoice.id)
        .limit(PAGE_SIZE)
    ).all()
    invoices = [
        {
            "invoice": invoice,
            "client": client.name,
            "remaining": format_money(invoice.amount_remaining, invoice.currency, client.locale),
        }
        for invoice, client in open_invoices
    ]
    page = _templates.get_template("mailbox.html").render(
        rows=rows, invoices=invoices, stylesheet=asset_url("pages.css")
    )
    return HTMLResponse(page)


@router.get("/outbox/{letter_id}", response_class=HTMLResponse)
def letter(letter_id: uuid.UUID, session: SessionDep) -> HTMLResponse:
    """One letter: its headers, and both of its bodies side by side."""
    found, message = _letter(session, letter_id)
    text = cast("EmailMessage | None", message.get_body(("plain",)))
    shown = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "Auto-Submitted", "In-Reply-To")
    page = _templates.get_template("letter.html").render(
        letter=found,
        headers=[(name, message[name]) for name in shown if message[name]],
        text=text.get_content() if text is not None else "",
        stylesheet=asset_url("pages.css"),
    )
    return HTMLResponse(page)


@router.get("/outbox/{letter_id}/html", response_class=HTMLResponse)
def letter_html(letter_id: uuid.UUID, session: SessionDep) -> HTMLResponse:
    """The HTML part as a mail program shows it, for the sandboxed frame."""
    _, message = _letter(session, letter_id)
    body = cast("EmailMessage | None", message.get_body(("html",)))
    if body is None:
        raise HTTPException(404)
    return HTMLResponse(body.get_content(), headers={"Content-Security-Policy": _LETTER_CSP})


@router.get("/outbox/{letter_id}/raw")
def letter_raw(letter_id: uuid.UUID, session: SessionDep) -> Response:
    """The bytes that were handed to the transport."""
    found, _ = _letter(session, letter_id)
    return Response(found.mime, media_type="text/plain; charset=utf-8")


def _letter(session: Session, letter_id: uuid.UUID) -> tuple[Letter, EmailMessage]:
    found = session.get(Letter, letter_id)
    if found is None:
        raise HTTPException(404)
    return found, message_from_bytes(found.mime, policy=policy.default)


def _steps_by_letter(session: Session, letter_ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    query = (
        select(Reminder.letter_id, Invoice.number, Reminder.step)
        .join(Invoice, Invoice.id == Reminder.invoice_id)
        .where(Reminder.letter_id.in_(letter_ids))
        .order_by(Invoice.due_on, Invoice.id)
    )
    steps: dict[uuid.UUID, list[str]] = {}
    for letter_id, number, step in session.execute(query):
        if letter_id is not None:
            steps.setdefault(letter_id, []).append(f"{number} {step}")
    return steps
