"""Notices page by page, with the clients, invoices and letters that they are about."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import NotFound, Refused
from nudgepay.invoices.models import Client, Invoice
from nudgepay.ledger import Notice

CAP = 1_000
"""Notices counted at most."""
BY_PERSON = ("operator:", "cli:")
"""Who may be overruled: what the books themselves closed is settled."""


@dataclass(frozen=True, slots=True)
class ToldInvoice:
    """An invoice that a notice is about."""

    id: int
    number: str
    currency: str
    client_id: int


@dataclass(frozen=True, slots=True)
class Told:
    """A notice and what it is about: ids and names of clients, invoices, the id of a letter."""

    notice: Notice
    clients: tuple[tuple[int, str], ...]
    invoices: tuple[ToldInvoice, ...]
    letter_id: str | None


def notices(
    session: Session, *, resolved: bool = False, kind: str | None = None, after: int | None = None, limit: int = 50
) -> list[Told]:
    """Open ones, the oldest first; or those that were resolved, the newest first. `after`: the last id of a page."""
    query = select(Notice).limit(limit)
    if resolved:
        query = query.where(Notice.resolved_at.is_not(None)).order_by(Notice.id.desc())
    else:
        query = query.where(Notice.resolved_at.is_(None)).order_by(Notice.id)
    if kind is not None:
        query = query.where(Notice.kind == kind)
    if after is not None:
        query = query.where(Notice.id < after if resolved else Notice.id > after)
    return _told(session, list(session.scalars(query)))


def notice_counts(session: Session) -> dict[str, int]:
    """How many of each kind are open, of the first CAP + 1."""
    return {row.kind: row.notices for row in session.execute(text(_COUNTS), {"most": CAP + 1})}


_COUNTS = """
SELECT kind, count(*) AS notices
  FROM (SELECT kind FROM notices WHERE resolved_at IS NULL ORDER BY id LIMIT :most) AS capped GROUP BY kind
"""


def one_notice(session: Session, notice_id: int) -> Notice:
    """The notice; raises NotFound."""
    found = session.get(Notice, notice_id)
    if found is None:
        raise NotFound(f"there is no notice {notice_id}")
    return found


def resolve(session: Session, notice_id: int, *, actor: str) -> bool:
    """A person has seen to it; False when it was closed before. The same trouble opens a new notice."""
    found = one_notice(session, notice_id)
    if found.resolved_at is not None or not ledger.resolve_notice(session, found.dedup_key, actor=actor):
        return False
    audit.record(session, actor=actor, action="notice.resolve", subject=f"notices:{notice_id}")
    return True


def reopen(session: Session, notice_id: int, *, actor: str) -> bool:
    """Take that back; False when it is open, or the same trouble has opened another. Raises Refused, NotFound."""
    found = one_notice(session, notice_id)
    if found.resolved_by is not None and not found.resolved_by.startswith(BY_PERSON):
        raise Refused("the books have closed this notice themselves: the trouble is over")
    if not ledger.reopen_notice(session, notice_id):
        return False
    audit.record(session, actor=actor, action="notice.reopen", subject=f"notices:{notice_id}")
    return True


def _told(session: Session, found: list[Notice]) -> list[Told]:
    named = [_Named(notice) for notice in found]
    invoices = {
        row.id: ToldInvoice(row.id, row.number, row.currency, row.client_id)
        for row in session.execute(
            select(Invoice.id, Invoice.number, Invoice.currency, Invoice.client_id).where(
                Invoice.id.in_({one for name in named for one in name.invoice_ids})
            )
        )
    }
    for name in named:
        name.client_ids |= {invoices[one].client_id for one in name.invoice_ids if one in invoices}
    wanted = {one for name in named for one in name.client_ids}
    clients = {
        row.id: row.name for row in session.execute(select(Client.id, Client.name).where(Client.id.in_(wanted)))
    }
    return [
        Told(
            name.notice,
            tuple((one, clients[one]) for one in sorted(name.client_ids) if one in clients)[:_MOST],
            tuple(invoices[one] for one in sorted(name.invoice_ids) if one in invoices)[:_MOST],
            name.letter_id,
        )
        for name in named
    ]


_MOST = 5
"""Things that are named of one notice."""


class _Named:
    """The ids that a notice's details hold."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice
        details = notice.details
        self.invoice_ids = _ids([details.get("invoice_id"), *_listed(details.get("invoice_ids"))])
        self.client_ids = _ids([details.get("client_id"), *_listed(details.get("client_ids"))])
        letter = details.get("letter_id")
        self.letter_id = letter if isinstance(letter, str) else None


def _listed(value: object) -> list[object]:
    return value[:50] if isinstance(value, list) else []


def _ids(values: Iterable[object]) -> set[int]:
    return {value for value in values if isinstance(value, int) and not isinstance(value, bool)}
