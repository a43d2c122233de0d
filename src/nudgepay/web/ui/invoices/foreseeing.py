"""The page before an act on many invoices: which change, which do not and why, what becomes of their letters."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from nudgepay.invoices.models import Client, Invoice
from nudgepay.nudges.bulk import Verdict, change_of, judge
from nudgepay.nudges.changes import LettersChanged, foresee_first
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.web.ui.invoices.asking import Asked
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.words import BULK, WHY_NOT
from nudgepay.web.ui.page import Page

AHEAD = timedelta(days=60)
SHOWN = 100


def foreseen(page: Page, session: Session, asked: Asked, *, status: int = 200) -> Response:
    """The page. It names the first ones, and carries all of them as they are now."""
    verdicts = judge(session, asked.act, asked.chosen, until=asked.until)
    going = [one.invoice for one in verdicts if one.invoice is not None and one.why_not is None]
    left = [one for one in verdicts if one.why_not is not None]
    letters, compared = ({}, frozenset[int]()) if asked.problem else _letters(page, session, asked, going)
    chosen = {invoice.id for invoice in going}
    return page.show(
        "invoices/bulk.html",
        status=status,
        asked=asked,
        words=BULK[asked.act],
        count=len(going),
        rows=",".join(f"{one.id}:{one.version}" for one in going),
        going=going[:SHOWN],
        sums=_sums(going),
        left=left[:SHOWN],
        left_count=len(left),
        names=_names(session, going, left),
        letters=letters,
        compared=compared,
        foreseen_count=sum(one.client_id in compared for one in going),
        others=[one for id_, one in letters.items() if id_ not in chosen][:SHOWN],
        today=today_of(page),
        why_not=WHY_NOT,
    )


def _letters(
    page: Page, session: Session, asked: Asked, going: Sequence[Invoice]
) -> tuple[dict[int, LettersChanged], frozenset[int]]:
    settings = page.runtime.settings
    span = Span(load_rules(session, settings), load_calendar(settings), page.now, page.now + AHEAD)
    change = change_of(asked.act, until=asked.until)
    clients = list(dict.fromkeys(invoice.client_id for invoice in going))
    return foresee_first(session, clients, {invoice.id: change for invoice in going}, span=span)


def _sums(going: Sequence[Invoice]) -> list[tuple[str, int, int]]:
    """Currency, how many invoices, and what is left to pay on them."""
    counts: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for invoice in going:
        counts[invoice.currency] += 1
        rest[invoice.currency] += max(0, invoice.amount_remaining)
    return [(currency, count, rest[currency]) for currency, count in sorted(counts.items())]


def _names(session: Session, going: Sequence[Invoice], left: Sequence[Verdict]) -> dict[int, str]:
    shown = [*going[:SHOWN], *(one.invoice for one in left[:SHOWN] if one.invoice is not None)]
    query = select(Client.id, Client.name).where(Client.id.in_({invoice.client_id for invoice in shown}))
    return {row.id: row.name for row in session.execute(query)}
