"""The rows of one invoice as a story in order of time. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
Money = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the story; `at` in UTC."""

    at: datetime
    what: str
    details: str


def tell_story(document: Mapping[str, Any], money: Money) -> list[Moment]:
    """Every moment that the document's rows tell of, the earliest first."""
    told = [moment for section, tell in _TELLERS.items() for row in document[section] for moment in tell(row, money)]
    entered = document["invoice"]
    first = _at(entered["created_at"], "Entered the books", money(entered["amount_due"]))
    return sorted([first, *told], key=lambda moment: moment.at)


def _at(when: str, what: str, details: str | None) -> Moment:
    return Moment(datetime.fromisoformat(when), what, details or "")


def _letter(row: Row, money: Money) -> Iterator[Moment]:
    own = f" · own text {row['template']}/{row['language']} version {row['text_version']}"
    details = f"{row['subject']} · to {row['to_address']}{own if row['text_version'] else ''}"
    yield _at(row["sending_at"], "Letter left", details)
    if row["accepted_at"]:
        yield _at(row["accepted_at"], "Relay took it", row["reply"])
    if row["state"] not in {"accepted", "sending"} and row["settled_at"]:
        yield _at(row["settled_at"], f"Letter is {row['state']}", row["message_id"])


def _reminder(row: Row, money: Money) -> Iterator[Moment]:
    if row["state"] == "skipped":
        yield _at(row["updated_at"], f"Step {row['step']} not sent", row["reason"])
    elif row["held_reason"]:
        yield _at(row["updated_at"], f"Step {row['step']} waits", row["held_reason"])


def _fact(row: Row, money: Money) -> Iterator[Moment]:
    what = {"refund": "Refund", "chargeback": "Chargeback"}.get(row["kind"], "Payment")
    undone = " (undone)" if row["voided_at"] else ""
    amount = row["amount"] if row["voided_at"] else row["allocated"]
    yield _at(row["recorded_at"], f"{what} booked{undone}", f"{money(amount)} · {row['provider']}")


def _checkout(row: Row, money: Money) -> Iterator[Moment]:
    yield _at(row["created_at"], "Payment begun", f"{money(row['amount'])} by card, on the pay page")


def _promise(row: Row, money: Money) -> Iterator[Moment]:
    yield _at(row["made_at"], "Promised to pay", f"{money(row['amount'])} by {row['promised_on']}: {row['state']}")


def _dispute(row: Row, money: Money) -> Iterator[Moment]:
    yield _at(row["opened_at"], "Objected", row["message"])
    if row["resolved_at"]:
        yield _at(row["resolved_at"], "Objection settled", row["resolution"])


def _claim(row: Row, money: Money) -> Iterator[Moment]:
    yield _at(row["claimed_at"], "Said that it is paid", row["source"])


def _message(row: Row, money: Money) -> Iterator[Moment]:
    if row["sending_at"]:
        yield _at(row["sending_at"], "Thanked", row["subject"])


_TELLERS: Mapping[str, Callable[[Row, Money], Iterator[Moment]]] = {
    "letters": _letter,
    "reminders": _reminder,
    "money_facts": _fact,
    "checkouts": _checkout,
    "promises": _promise,
    "disputes": _dispute,
    "payment_claims": _claim,
    "messages": _message,
}
