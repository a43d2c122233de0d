"""From the fields of one camt.053 entry to its lines: amounts exact, or refused with the entry's number."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.money import MAX_MINOR_UNITS, AmountError, ensure_currency, to_minor
from nudgepay.payments.statements.lines import MAX_TEXT, ReadLine, ReadStatement, clean_reference, clean_text

_DECIMAL = re.compile(r"\d{1,18}(\.\d{0,17})?|\.\d{1,17}")
"""ISO 20022's ActiveCurrencyAndAmount: 18 digits, no sign."""


class Fields:
    """The wanted values of one element, by path below it; an amount carries its currency."""

    __slots__ = ("_length", "_values")

    def __init__(self) -> None:
        """Empty."""
        self._values: dict[str, list[tuple[str, str]]] = {}
        self._length = 0

    def add(self, name: str, text: str, currency: str) -> bool:
        """Keep a value; False when the element holds more text than any bank's."""
        self._values.setdefault(name, []).append((text, currency))
        self._length += len(text) + 1
        return self._length <= MAX_TEXT

    def first(self, *names: str) -> str:
        """The first value of the first name that has one, or an empty text."""
        return next((self._values[name][0][0] for name in names if name in self._values), "")

    def every(self, *names: str) -> str:
        """All values of these names, in order, with spaces between."""
        return " ".join(text for name in names for text, _ in self._values.get(name, ()))

    def money(self, *names: str) -> tuple[str, str] | None:
        """Text and currency of the first amount."""
        return next((self._values[name][0] for name in names if name in self._values), None)


def lines_of(entry: Fields, details: list[Fields], statement: ReadStatement, *, entry_number: int) -> None:
    """Add what an entry brought to the statement; raises Unreadable when it does not say what it must."""
    direction = entry.first("CdtDbtInd")
    if direction not in {"CRDT", "DBIT"}:
        raise _fault(entry_number, "CdtDbtInd", "missing", "must be CRDT or DBIT")
    status = entry.first("Sts/Cd", "Sts/Prtry", "Sts")
    if not status:
        raise _fault(entry_number, "Sts", "missing", "must say whether the entry is booked")
    if status != "BOOK":
        statement.pending += 1
        return
    is_reversal = entry.first("RvslInd") in {"true", "1"}
    if direction == "DBIT" and not is_reversal and not any(one.first("RtrInf") for one in details):
        statement.debits += 1
        return
    amount, currency = _amount(entry.money("Amt"), entry_number)
    whole = ReadLine(
        booked_on=_day(entry, entry_number),
        amount=-amount if direction == "DBIT" else amount,
        currency=currency,
        purpose=clean_text(entry.first("AddtlNtryInf")),
        bank_id=clean_text(entry.first("AcctSvcrRef")),
        is_reversal=is_reversal,
    )
    for line in _split(whole, details, direction, entry_number) if amount else ():
        if line.amount > 0 or line.is_reversal:
            statement.lines.append(line)
        else:
            statement.debits += 1


def _split(whole: ReadLine, details: list[Fields], direction: str, entry_number: int) -> list[ReadLine]:
    parts = [_with_details(whole, one, direction) for one in details]
    if len(parts) < 2:
        return parts or [whole]
    if any(one.first("CdtDbtInd") not in {"", direction} for one in details):
        return [_together(whole, parts)]
    amounts = [one.money("Amt", "AmtDtls/TxAmt/Amt") for one in details]
    read = [_amount(amount, entry_number) for amount in amounts if amount is not None]
    adds_up = sum(minor for minor, _ in read) == abs(whole.amount) and all(minor for minor, _ in read)
    if len(read) < len(parts) or not adds_up or {currency for _, currency in read} != {whole.currency}:
        return [_together(whole, parts)]
    sign = -1 if whole.amount < 0 else 1
    return [replace(part, amount=sign * minor) for part, (minor, _) in zip(parts, read, strict=True)]


def _with_details(whole: ReadLine, details: Fields, direction: str) -> ReadLine:
    payer = ("UltmtDbtr", "Dbtr") if direction == "CRDT" else ("UltmtCdtr", "Cdtr", "Dbtr")
    names = [f"RltdPties/{who}{party}/Nm" for who in payer for party in ("", "/Pty")]
    told = details.every("RmtInf/Ustrd", "RmtInf/Strd/RfrdDocInf/Nb") or details.every("AddtlTxInf")
    given = (details.first("RmtInf/Strd/CdtrRefInf/Ref"), details.first("Refs/EndToEndId"))
    return replace(
        whole,
        counterparty=clean_text(details.first(*names)),
        purpose=clean_text(told) or whole.purpose,
        reference=next(filter(None, map(clean_reference, given)), ""),
        bank_id=clean_text(details.first("Refs/AcctSvcrRef")) or whole.bank_id,
        is_reversal=whole.is_reversal or bool(details.first("RtrInf")),
    )


def _together(whole: ReadLine, parts: list[ReadLine]) -> ReadLine:
    """A batch whose parts do not add up stays one line; what its parts say is one text, cut where none reads on."""
    purpose = " | ".join(dict.fromkeys(part.purpose for part in parts if part.purpose))
    return replace(whole, purpose=purpose[:MAX_TEXT], is_reversal=any(part.is_reversal for part in parts))


def _amount(told: tuple[str, str] | None, entry_number: int) -> tuple[int, str]:
    if told is None:
        raise _fault(entry_number, "Amt", "missing", "must not be empty")
    text, currency = told
    if not _DECIMAL.fullmatch(text):
        raise _fault(entry_number, "Amt", "amount", "is no amount such as 1234.56")
    try:
        code = ensure_currency(currency)
        minor = to_minor(Decimal(text), code)
    except AmountError as error:
        raise _fault(entry_number, "Amt", "amount", str(error)) from error
    if minor > MAX_MINOR_UNITS:
        raise _fault(entry_number, "Amt", "amount", "is larger than the product's limit")
    return minor, code


def _day(entry: Fields, entry_number: int) -> date:
    text = entry.first("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm")
    try:
        return _as_day(text)
    except UsageError as error:
        raise _fault(entry_number, "BookgDt", "date", str(error)) from error


def _as_day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise UsageError("is no ISO date such as 2026-03-31") from error


def account_of(statement: Fields) -> str:
    """The account's IBAN without spaces, or the bank's other name for it."""
    return clean_text(statement.first("Acct/Id/IBAN").replace(" ", "") or statement.first("Acct/Id/Othr/Id"))


def period_of(statement: Fields) -> tuple[date | None, date | None]:
    """The days that the statement says it covers; a day that cannot be read is none."""
    found: list[date | None] = []
    for name in ("FrToDt/FrDtTm", "FrToDt/ToDtTm"):
        try:
            found.append(_as_day(statement.first(name)))
        except UsageError:
            found.append(None)
    return found[0], found[1]


def _fault(entry_number: int, column: str, code: str, message: str) -> Unreadable:
    return Unreadable(RowFault(entry_number, f"Ntry/{column}", code, f"entry {entry_number}, {column}: {message}"))
