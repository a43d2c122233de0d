"""A schedule given to clients and to single invoices: compared first, given in one transaction, taken back.

Whoever is given one is named with the version that was seen; what was changed since is left alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.errors import NotFound
from nudgepay.invoices.client_edits import edit_chasing
from nudgepay.invoices.editing import EDITABLE, follow_schedule
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.nudges.bulk import KIND, Chosen, WhyNot
from nudgepay.nudges.changes import as_many_as_fit
from nudgepay.nudges.differences import InvoiceChange, compare
from nudgepay.nudges.facts import ClientFacts, Schedule
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.schedules import DEFAULT, current_schedule, current_schedules

NAME = "schedules.assign"
MOST = 100
"""So many are still looked at before they follow, and taken back together."""
Kind = Literal["client", "invoice"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Clients and invoices, as they were seen, that shall follow the schedule `name`."""

    name: str
    clients: tuple[Chosen, ...] = ()
    invoices: tuple[Chosen, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client or an invoice, the schedule that it follows now, and why the wish would not change it."""

    kind: Kind
    id: int
    version: int
    label: str
    client: str
    follows: str
    why_not: WhyNot | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What was given to whom (clients, invoices: id, version now, name before), and what was left alone."""

    entry_id: int
    name: str
    clients: list[tuple[int, int, str | None]]
    invoices: list[tuple[int, int, str | None]]
    left: list[Candidate]


def candidates(
    session: Session, name: str, *, client_ids: Sequence[int], invoice_ids: Sequence[int]
) -> list[Candidate]:
    """Those of them that there are, as they stand now: clients first, in the order given."""
    wish = Wish(name, tuple(Chosen(one, -1) for one in client_ids), tuple(Chosen(one, -1) for one in invoice_ids))
    return [one for one in judge_wish(session, wish, is_fresh=True) if one.why_not != "gone"]


def judge_wish(session: Session, wish: Wish, *, is_fresh: bool = False) -> list[Candidate]:
    """Whom the wish would change and whom not; `is_fresh`: whatever version was seen. Changes nothing."""
    clients = _by_id(session, Client, [one.id for one in wish.clients])
    invoices = _by_id(session, Invoice, [one.id for one in wish.invoices])
    return [
        *(_judge_client(one, clients.get(one.id), wish.name, is_fresh) for one in wish.clients),
        *(_judge_invoice(one, invoices.get(one.id), wish.name, is_fresh) for one in wish.invoices),
    ]


def _by_id(session: Session, kind: type[Any], ids: Collection[int]) -> dict[int, Any]:
    return {row.id: row for row in session.scalars(select(kind).where(kind.id.in_(ids)))}


def _judge_client(chosen: Chosen, client: Client | None, name: str, is_fresh: bool) -> Candidate:
    if client is None:
        return Candidate("client", chosen.id, 0, "", "", "", "gone")
    follows = client.schedule_name or DEFAULT
    why_not: WhyNot | None = "already" if follows == name else None
    if not is_fresh and client.version != chosen.version:
        why_not = "changed"
    return Candidate("client", client.id, client.version, client.name, "", follows, why_not)


def _judge_invoice(chosen: Chosen, invoice: Invoice | None, name: str, is_fresh: bool) -> Candidate:
    if invoice is None:
        return Candidate("invoice", chosen.id, 0, "", "", "", "gone")
    why_not: WhyNot | None = "already" if invoice.schedule_name == name else None
    if invoice.status not in EDITABLE:
        why_not = "not_open"
    if not is_fresh and invoice.version != chosen.version:
        why_not = "changed"
    follows = invoice.schedule_name or invoice.client.schedule_name or DEFAULT
    return Candidate("invoice", invoice.id, invoice.version, invoice.number, invoice.client.name, follows, why_not)


def diff_wish(
    session: Session, name: str, going: Sequence[Candidate], *, span: Span
) -> tuple[tuple[InvoiceChange, ...], int, bool]:
    """What would change if these followed the schedule; of how many clients, and whether these are all concerned.

    Raises NotFound when there is no such schedule.
    """
    schedule = current_schedule(session, name)
    clients = {one.id for one in going if one.kind == "client"}
    invoices = {one.id for one in going if one.kind == "invoice"}
    owners = select(Invoice.client_id).where(Invoice.id.in_(invoices))
    concerned = sorted(clients | set(session.scalars(owners)))
    some = as_many_as_fit(session, concerned)
    own = set(
        session.scalars(select(Invoice.id).where(Invoice.client_id.in_(some), Invoice.schedule_name.is_not(None)))
    )
    changes: list[InvoiceChange] = []
    for client in load_clients(session, some, now=span.start).values():
        mine = {one.id for one in client.invoices if one.id not in own} if client.id in clients else set()
        changes += compare(client, _following(client, schedule, mine | invoices), span, span)
    return tuple(changes), len(some), len(some) == len(concerned)


def _following(client: ClientFacts, schedule: Schedule, ids: Collection[int]) -> ClientFacts:
    return replace(
        client,
        invoices=tuple(
            replace(one, schedule=schedule, follows=schedule.name) if one.id in ids else one
            for one in client.invoices
        ),
    )


def assign_schedule(session: Session, wish: Wish, *, now: datetime, actor: str) -> Assignment:
    """Let those follow the schedule who are still as they were seen. Raises NotFound for an unknown schedule."""
    invoices = _hold(session, [one.id for one in wish.clients], [one.id for one in wish.invoices])
    current_schedule(session, wish.name)
    done = Assignment(0, wish.name, [], [], [])
    for one in judge_wish(session, wish):
        if one.why_not is not None:
            done.left.append(one)
        elif one.kind == "client":
            before = session.get_one(Client, one.id).schedule_name
            done.clients.append((one.id, _give_client(session, one.id, wish.name, now=now, actor=actor), before))
        else:
            invoice = invoices[one.id]
            before = invoice.schedule_name
            follow_schedule(session, invoice, wish.name, now=now, actor=actor)
            done.invoices.append((one.id, invoice.version, before))
    details = {"name": wish.name, "clients": done.clients, "invoices": done.invoices, "left": len(done.left)}
    return replace(done, entry_id=ledger.write(session, kind=KIND, name=NAME, actor=actor, details=details))


def take_back(session: Session, entry_id: int, *, now: datetime, actor: str) -> tuple[int, int]:
    """Give everybody the schedule that they had, where nobody changed them since and it is still there; returns how
    many got it back, and how many not. Raises NotFound."""
    entry = ledger.entry_of(session, entry_id, kind=KIND)
    if entry is None or entry.name != NAME:
        raise NotFound(f"no schedule was given by the act {entry_id}")
    clients, given = entry.details["clients"], entry.details["invoices"]
    invoices = _hold(session, [row[0] for row in clients], [row[0] for row in given])
    known = {*current_schedules(session), None}
    back = 0
    for client_id, version, before in clients:
        client = session.get(Client, client_id)
        if client is not None and client.version == version and before in known:
            _give_client(session, client_id, before, now=now, actor=actor)
            back += 1
    for invoice_id, version, before in given:
        invoice = invoices.get(invoice_id)
        if invoice and invoice.version == version and invoice.status in EDITABLE and before in known:
            follow_schedule(session, invoice, before, now=now, actor=actor)
            back += 1
    return back, len(clients) + len(given) - back


def _give_client(session: Session, client_id: int, name: str | None, *, now: datetime, actor: str) -> int:
    """The locked client's schedule; the default one needs no name. Returns the client's version then."""
    client = session.get_one(Client, client_id)
    return edit_chasing(
        session,
        client_id,
        schedule_name=None if name == DEFAULT else name,
        tolerance=client.tolerance,
        expected=client.version,
        now=now,
        actor=actor,
    ).version


def _hold(session: Session, client_ids: Sequence[int], invoice_ids: Sequence[int]) -> dict[int, Invoice]:
    """Schedules first, as who saves or removes one takes them, then the clients, then their invoices."""
    session.execute(text("LOCK TABLE schedules IN SHARE MODE"))
    owners = select(Invoice.client_id).where(Invoice.id.in_(invoice_ids))
    for client_id in session.scalars(
        select(Client.id).where(Client.id.in_({*client_ids, *session.scalars(owners)})).order_by(Client.id)
    ).all():
        lock_client(session, client_id)
    return {invoice.id: invoice for invoice in lock_invoices(session, invoice_ids)}
