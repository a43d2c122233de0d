"""What acts were done to, by name and with the way there: one look at each table for all rows of a page."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.web.ui.audit.words import KINDS
from nudgepay.web.ui.page import Page

LARGEST_ID = 2**62


@dataclass(frozen=True, slots=True)
class Subject:
    """`path` is empty where there is no page about it; `currency` is that of its amounts, where it has one."""

    name: str
    path: str = ""
    currency: str = ""


_OF_INVOICE = (
    "SELECT t.id::text AS id, i.number AS name, '/invoices/' || i.id AS path, i.currency"
    " FROM {} t JOIN invoices i ON i.id = t.invoice_id"
)
LOOKS: dict[str, str] = {
    "invoices": "SELECT t.id::text AS id, t.number AS name, '/invoices/' || t.id AS path, t.currency FROM invoices t",
    "clients": "SELECT t.id::text AS id, t.name, '/clients/' || t.id AS path, '' AS currency FROM clients t",
    "contacts": "SELECT t.id::text AS id, t.name || ' (' || c.name || ')' AS name, '/clients/' || c.id AS path,"
    " '' AS currency FROM contacts t JOIN clients c ON c.id = t.client_id",
    "operators": "SELECT t.id::text AS id, t.email AS name, '' AS path, '' AS currency FROM operators t",
    "schedules": "SELECT t.id::text AS id, t.name || ' ' || t.version AS name, '/schedules/' || t.name AS path,"
    " '' AS currency FROM schedules t",
    "money_facts": "SELECT t.id::text AS id, c.name, '/clients/' || c.id AS path, t.currency"
    " FROM money_facts t JOIN clients c ON c.id = t.client_id",
    **{
        table: _OF_INVOICE.format(table)
        for table in ("disputes", "promises", "payment_claims", "reminders", "reviews")
    },
}
"""Of each table: id, name, path and currency of rows. Their ids are numbers."""
PATHS = {
    "letters": "/letters/{}",
    "jobs": "/operations/jobs/{}",
    "notices": "/operations/notices",
    "letter_texts": "/templates/{}",
    "sending_switch": "/operations/sending",
    "import_uploads": "/import/{}",
    "closing_days": "/schedules/closing-days",
}


class Subjects:
    """The names behind `table:id` of some records, asked once."""

    def __init__(self, page: Page, session: Session, subjects: Iterable[str]) -> None:
        """`subjects` as the log has them."""
        self._page = page
        wanted: dict[str, set[int]] = defaultdict(set)
        for one in subjects:
            table, _, key = one.partition(":")
            if table in LOOKS and key.isascii() and key.isdecimal() and int(key) < LARGEST_ID:
                wanted[table].add(int(key))
        self._found: dict[str, Subject] = {}
        for table, ids in wanted.items():
            rows = session.execute(text(f"{LOOKS[table]} WHERE t.id = ANY(:ids)"), {"ids": list(ids)})
            self._found |= {f"{table}:{row.id}": Subject(row.name, row.path, row.currency) for row in rows}

    def of(self, subject: str) -> Subject:
        """Name and way; what is gone, or has no name, by its kind."""
        found = self._found.get(subject)
        if found is not None:
            return found
        table, _, key = subject.partition(":")
        if table not in KINDS:
            return Subject(subject)
        name = self._page.gettext(KINDS[table]) % {"id": key}
        return Subject(name, PATHS.get(table, "").format(key) if _is_plain(key) else "")


def _is_plain(key: str) -> bool:
    return key.isascii() and all(sign.isalnum() or sign in "-_/." for sign in key) and ".." not in key
