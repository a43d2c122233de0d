"""What a list of invoices can be narrowed to, ordered by and continued from. Words from outside never become SQL:
each is looked up here, and what is not known counts as not said.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from nudgepay.nudges.reasons import HELD_REASONS

STATUSES = ("open", "overdue", "paid", "void", "uncollectible", "draft", "all")
STORED = ("draft", "open", "paid", "void", "uncollectible")
"""Statuses of rows; `overdue` is computed."""
OWED = frozenset({"open", "overdue"})
AGES: dict[str, tuple[int | None, int | None]] = {
    "current": (None, 0),
    "1-30": (1, 30),
    "31-60": (31, 60),
    "61-90": (61, 90),
    "91+": (91, None),
}
"""Days late, from and to."""
MONEY_STATES = ("unpaid", "partially_paid", "in_payment", "paid", "overpaid", "refunded", "needs_review")
ANY = "any"
LONGEST_QUERY = 100
MOST_WORDS = 6
_WORD = re.compile(r"[^\W_]+")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Sort(NamedTuple):
    """The columns of one order, and what their values are, for the cursor."""

    columns: tuple[str, ...]
    kinds: tuple[type, ...]


SORTS: dict[str, Sort] = {
    "due": Sort(("x.due_on", "x.invoice_id"), (date, int)),
    "amount": Sort(("x.currency", "x.amount_remaining", "x.invoice_id"), (str, int, int)),
    "number": Sort(("x.number", "x.invoice_id"), (str, int)),
    "client": Sort(("lower(c.name)", "c.id", "x.due_on", "x.invoice_id"), (str, int, date, int)),
}
"""By columns of `invoice_index x` and `clients c`. Each ends with what is unique, so that rows with equal keys are
neither lost nor repeated between pages."""
DESCENDING = frozenset({"due", "amount", "number"})
"""Orders that are offered the other way round, too."""


@dataclass(frozen=True, slots=True)
class Filters:
    """One list: the agreed query names. `after` is where the page before ended."""

    q: str = ""
    status: str = "open"
    currency: str = ""
    age: str = ""
    client: int | None = None
    reason: str = ""
    money_state: str = ""
    sort: str = ""
    after: str = ""

    @classmethod
    def of(cls, said: Mapping[str, str]) -> "Filters":
        """What a query string asks for."""
        client = said.get("client", "")
        currency = said.get("currency", "").upper()
        reason = said.get("reason", "")
        found = cls(
            q=" ".join(said.get("q", "")[:LONGEST_QUERY].replace("\x00", "").split()),
            status=_known(said.get("status", ""), STATUSES) or "open",
            currency=currency if _CURRENCY.fullmatch(currency) else "",
            age=_known(said.get("age", "").replace("91 ", "91+"), AGES),
            client=int(client) if client.isascii() and client.isdigit() and len(client) < 19 else None,
            reason=reason if reason in HELD_REASONS or reason == ANY else "",
            money_state=_known(said.get("money_state", ""), MONEY_STATES),
            after=said.get("after", "")[:1000],
        )
        if found.reason and found.status not in OWED:
            found = replace(found, status="open")  # only what is owed is held
        wanted = said.get("sort", "")
        return replace(found, sort=wanted if wanted in found.sorts else "")

    @property
    def sorts(self) -> tuple[str, ...]:
        """The orders that are cheap for this list: what is owed orders only what is owed, and words are those of
        number and client, so that in their order all that is searched for may come last."""
        if self.reason:
            return ("due",) if self.q else ("due", "client")
        keys = ["due", *(["amount"] if self.status in OWED else []), *([] if self.q else ["number", "client"])]
        return tuple(sign + key for key in keys for sign in ("", "-") if not sign or key in DESCENDING)

    @property
    def order(self) -> str:
        """The order in force: longest due first where something is owed, else the latest first."""
        return self.sort or ("due" if self.status in {*OWED, "draft"} else "-due")

    @property
    def words(self) -> list[str]:
        """What is searched for, word by word; each is the beginning of a word of the invoice."""
        return _WORD.findall(self.q.lower())[:MOST_WORDS]

    @property
    def is_narrowed(self) -> bool:
        """True when more than a status was asked for."""
        return any((self.q, self.currency, self.age, self.client, self.reason, self.money_state))

    def query(self, **changed: object) -> str:
        """The query string of this list, with some of it changed and its beginning as the first page."""
        said: dict[str, object] = {
            "q": self.q,
            "status": self.status,
            "currency": self.currency,
            "age": self.age,
            "client": self.client,
        }
        said |= {"reason": self.reason, "money_state": self.money_state, "sort": self.sort} | changed
        if said["status"] == "open":
            said["status"] = ""
        return urlencode({name: str(value) for name, value in said.items() if value is not None and value != ""})


def _known(word: str, words: Any) -> str:
    return word if word in words else ""


def due_range(filters: Filters, today: date) -> tuple[date | None, date | None]:
    """First and last due date that the list may hold."""
    first = last = None
    if filters.age:
        low, high = AGES[filters.age]
        last = today - timedelta(days=low) if low is not None else None
        first = today - timedelta(days=high) if high is not None else None
    if filters.status == "overdue":
        yesterday = today - timedelta(days=1)
        last = min(last, yesterday) if last else yesterday
    return first, last


def write_cursor(order: str, values: tuple[Any, ...]) -> str:
    """An opaque word for a place in an order."""
    said = [value.isoformat() if isinstance(value, date) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([order, *said], ensure_ascii=False).encode()).decode().rstrip("=")


def read_cursor(cursor: str, order: str) -> tuple[Any, ...] | None:
    """The place, or None when it is none of this order."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    kinds = SORTS[order.removeprefix("-")].kinds
    if not isinstance(found, list) or found[:1] != [order] or len(found) != len(kinds) + 1:
        return None
    try:
        return tuple(_value(kind, one) for kind, one in zip(kinds, found[1:], strict=True))
    except (TypeError, ValueError):
        return None


def _value(kind: type, said: Any) -> date | int | str:
    if kind is date and isinstance(said, str):
        return date.fromisoformat(said)
    if kind is int and type(said) is int and -(2**63) <= said < 2**63:
        return said
    if kind is str and isinstance(said, str) and "\x00" not in said:
        return said
    raise ValueError("no such value")
