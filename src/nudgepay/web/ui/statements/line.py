"""`/payments/statements/lines/{id}`: everything about one line, the ways to book it, and a form for any other way."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import LARGEST_ID
from nudgepay.invoices.searching import TooBroad, find_clients, find_invoices
from nudgepay.payments.books import PAYABLE
from nudgepay.payments.models import BankLine
from nudgepay.payments.statements.kept import statement_by_id, with_payments
from nudgepay.payments.statements.proposals import Option
from nudgepay.payments.statements.queries import Twin, line_by_id, propose_one, twins_of
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.invoice.acting import Fields
from nudgepay.web.ui.invoice.amounts import BadField, shown_amount, typed_amount
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import Problems
from nudgepay.web.ui.rendering import money
from nudgepay.web.ui.row_ids import RowId, row_id_of
from nudgepay.web.ui.search.finding import clean
from nudgepay.web.ui.statements.parts import written
from nudgepay.web.ui.statements.paths import LINES, line_path, statement_path
from nudgepay.web.ui.statements.rows import row_of
from nudgepay.web.ui.statements.words import format_title, grouped, in_words
from nudgepay.web.ui.who import names_of

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
MOST_INVOICES = 100
MOST_FOUND = 6
Word = Annotated[str, Query(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed into the form: amounts by invoice as text, and what they come to in minor units."""

    client_id: int | None
    amounts: dict[int, str]
    parts: list[dict[str, int]]
    credit: bool = False
    again: bool = False
    problems: Problems = field(default_factory=Problems)

    def refused(self, told: str) -> Self:
        """The same, with what the books say against it."""
        return replace(self, problems=Problems(form=told))


@router.get(LINES + "/{line_id}", response_class=HTMLResponse)
def line(page: StatementPage, session: ReadSessionDep, line_id: RowId, client: Word = "", q: Word = "") -> Response:
    """The line; `client` is whose open invoices the form offers, `q` what is looked for instead."""
    return show_line(page, session, line_id, client_id=row_id_of(client), q=q)


def show_line(
    page: Page,
    session: Session,
    line_id: int,
    *,
    client_id: int | None = None,
    q: str = "",
    typed: Typed | None = None,
    status: int = 200,
) -> Response:
    """The page; with what was `typed` after a form was refused."""
    listed = propose_one(session, line_id, now=page.now)
    found = listed.line
    statement = statement_by_id(session, found.statement_id)
    options = listed.proposal.options
    suggested = options[0].client_id if options else None
    chosen = (typed.client_id if typed else client_id) or suggested
    client = session.get(Client, chosen) if chosen and chosen <= LARGEST_ID else None
    return page.show(
        "statements/line.html",
        status=status,
        line=found,
        row=row_of(page, listed, is_certain=listed.is_sure),
        options=[_option(page, one) for one in options],
        decided=with_payments(session, [found])[0],
        statement=statement,
        title=format_title(page, statement.format),
        account=grouped(statement.account),
        who=names_of(session, {found.decided_by or ""}),
        path=line_path(line_id),
        back=statement_path(statement.id),
        q=q,
        sought=_sought(session, q),
        client=client,
        twins=_twins(session, found, client),
        typed=typed,
        invoices=_open_invoices(session, found, client),
        offered=typed.amounts if typed else _offered(page, found, options, client),
    )


def _option(page: Page, one: Option) -> dict[str, Any]:
    return {
        "option": one,
        "parts": written((part.invoice_id, part.amount) for part in one.parts),
        "reasons": [in_words(page, reason) for reason in one.reasons],
    }


def _sought(session: Session, q: str) -> dict[str, Any] | None:
    """Clients to choose from: by their own name, or by the number of one of their invoices."""
    wanted = clean(q)
    if not wanted:
        return None
    try:
        clients = {row.id: row.name for row in find_clients(session, wanted, limit=MOST_FOUND)}
        by_number = [
            (row.client_id, row.client, row.number) for row in find_invoices(session, wanted, limit=MOST_FOUND)
        ]
    except TooBroad:
        return {"clients": [], "invoices": [], "is_too_broad": True}
    return {"clients": list(clients.items()), "invoices": by_number, "is_too_broad": False}


def _open_invoices(session: Session, found: BankLine, client: Client | None) -> Sequence[Invoice]:
    """What the client owes in the line's currency, the oldest first."""
    if client is None or found.state != "waiting":
        return ()
    query = (
        select(Invoice)
        .where(
            Invoice.client_id == client.id,
            Invoice.currency == found.currency,
            Invoice.status.in_(PAYABLE),
            Invoice.amount_remaining > 0,
        )
        .order_by(Invoice.due_on, Invoice.id)
    )
    return session.scalars(query.limit(MOST_INVOICES)).all()


def _twins(session: Session, found: BankLine, client: Client | None) -> list[Twin]:
    return twins_of(session, found, client.id) if client is not None and found.state == "waiting" else []


def _offered(page: Page, found: BankLine, options: Sequence[Option], client: Client | None) -> dict[int, str]:
    """The best way for this client, to be corrected; nothing for one that no way names."""
    best = next((one for one in options if client is not None and one.client_id == client.id), None)
    return {part.invoice_id: shown_amount(part.amount, found.currency, page) for part in best.parts} if best else {}


def typed_line(page: Page, session: Session, line_id: int, fields: Fields) -> Typed:
    """What the form says, and what is wrong with it before the books are asked."""
    found = line_by_id(session, line_id)
    amounts = {
        invoice_id: text.strip()
        for name, text in fields.items()
        if (invoice_id := row_id_of(name.removeprefix("part-"))) and name.startswith("part-")
    }
    problems = Problems()
    parts = []
    for invoice_id, text in amounts.items():
        if not text:
            continue
        try:
            parts.append({"invoice_id": invoice_id, "amount": typed_amount(text, found.currency, page)})
        except BadField as problem:
            problems[f"part-{invoice_id}"] = str(problem)
    credit, again = fields.get("credit") == "1", fields.get("again") == "1"
    typed = Typed(row_id_of(fields.get("client", "")), amounts, parts, credit, again, problems)
    left = found.amount - sum(part["amount"] for part in parts)
    told = _wrong(page, left, is_empty=not parts, credit=credit) if not problems else None
    return typed.refused(told % {"left": money(abs(left), found.currency, page)}) if told else typed


def _wrong(page: Page, left: int, *, is_empty: bool, credit: bool) -> str | None:
    if is_empty and not credit:
        return page.gettext("Write at least one amount, or keep all of it as the client's credit.")
    if left < 0:
        return page.gettext("The parts are %(left)s more than came in. Make them smaller.")
    if left > 0 and not credit:
        return page.gettext("%(left)s is in no part. Write it beside an invoice, or keep it as the client's credit.")
    return None
