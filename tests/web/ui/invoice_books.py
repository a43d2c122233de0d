"""What the tests of one invoice's page hold on to: a client with invoices, due around today, and forms as they stand."""

import html
import re
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from nudgepay import clock
from nudgepay.invoices.models import Invoice
from nudgepay.runtime import Runtime
from nudges.books import make_client, make_invoice
from web.ui.desk import Desk

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
TAGS = re.compile(r"<[^>]+>")


def an_invoice(
    runtime: Runtime, number: str = "A-1", *, late: int = 5, client_id: int | None = None, **more: Any
) -> int:
    """An open invoice that is `late` days overdue, of a client of its own unless one is given."""
    now = clock.now()
    given = {name: more.pop(name) for name in ("timezone", "country", "locale") if name in more}
    owner = client_id or make_client(runtime.db, f"ada{number.lower()}", **given)
    return make_invoice(runtime.db, owner, number, due_on=now.date() - timedelta(days=late), now=now, **more)


def look(runtime: Runtime, invoice_id: int) -> Invoice:
    with runtime.db.transaction() as session:
        return session.get_one(Invoice, invoice_id)


def one(runtime: Runtime, query: str, **values: Any) -> Any:
    with runtime.db.transaction() as session:
        return session.scalar(text(query), values)


def run(runtime: Runtime, statement: str, **values: Any) -> None:
    """As the owner of the tables, who may write anything anywhere."""
    with runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("SET LOCAL nudgepay.audit_maintenance = 'on'"))
        session.execute(text(statement), values)


def form_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the page's form with this action."""
    forms = re.findall(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    assert forms, f"no form leads to {action}"
    return {name: html.unescape(value) for name, value in HIDDEN.findall(forms[0])}


def words(page: str) -> str:
    """What a person reads of a page."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(TAGS.sub(" ", main)).split())


def send(desk: Desk, path: str, action: str, **typed: str) -> Any:
    """Open a page, fill its form, press its button."""
    fields = form_of(desk.get(path).text, action)
    return desk.post(action, {**fields, **typed})


def sent(runtime: Runtime) -> list[str]:
    """The files in the outbox."""
    return sorted(path.name for path in (runtime.settings.nudgepay_home / "outbox").glob("*.eml"))
