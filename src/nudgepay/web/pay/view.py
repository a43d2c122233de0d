"""A payer's page in the words of its reader: everything that the template shows, formatted. Pure."""

from datetime import datetime, timedelta
from typing import Any

from nudgepay.config import Settings
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.promises import MAX_DAYS_AHEAD
from nudgepay.web.pay.epc import epc_payload, qr_data_uri, remittance
from nudgepay.web.pay.page import Line, PayerPage
from nudgepay.web.pay.reader import Reader

SUGGESTED_DAYS = 7


def page_view(
    page: PayerPage,
    reader: Reader,
    settings: Settings,
    *,
    now: datetime,
    has_card: bool,
    waits: bool = False,
    received: int = 0,
) -> dict[str, Any]:
    """What `page.html` needs.

    For a payer who comes back from the card form: `waits` while nothing is known of the payment, `received` (minor
    units) when it has arrived.
    """
    today = local_day(now, page.timezone)
    state = page.state
    waits = waits and state == "open"
    return {
        **frame(reader, settings),
        "state": "returned" if waits else state,
        "action": f"/p/{page.token}",
        "query": reader.query,
        "total": reader.money(page.payable, page.currency),
        "currency": page.currency,
        "amount_example": reader.money(page.payable, page.currency),
        "count": len(page.lines),
        "lines": [_line(line, page, reader, now) for line in page.lines],
        "numbers": [line.number for line in page.open_lines],
        "notes": [*_thanks(page, reader, received), *_notes(page, reader)],
        "receipt": f"/p/{page.token}/receipt{reader.query}" if any(line.amount_paid for line in page.lines) else None,
        "has_card": has_card,
        "is_payable": state == "open" and not waits,
        "has_answers": bool(page.open_lines) and not waits,
        "bank": _bank(page, reader, settings) if state == "open" and not waits else None,
        "earliest": today.isoformat(),
        "latest": (today + timedelta(days=MAX_DAYS_AHEAD)).isoformat(),
        "suggested": (today + timedelta(days=min(SUGGESTED_DAYS, MAX_DAYS_AHEAD))).isoformat(),
        "problem": None,
        "typed": {},
        "opened": None,
    }


def frame(reader: Reader, settings: Settings) -> dict[str, Any]:
    """What the frame around every page needs."""
    return {
        "t": reader.t,
        "business": settings.business_name,
        "address": settings.business_address,
        "contact": settings.reply_to or settings.from_email,
        "monogram": settings.business_name.strip()[:1].upper() or "·",
    }


def _line(line: Line, page: PayerPage, reader: Reader, now: datetime) -> dict[str, Any]:
    days = (local_day(now, page.timezone) - line.due_on).days
    shown = line.claimable if line.is_open else line.amount_due
    return {
        "number": line.number,
        "description": line.description,
        "issued_on": reader.day(line.issued_on),
        "due_on": reader.day(line.due_on),
        "badge": _badge(line, days, reader),
        "tone": _tone(line, days),
        "amount": reader.money(line.amount_due, page.currency),
        "received": reader.money(line.amount_paid, page.currency) if line.amount_paid else None,
        "contested": reader.money(line.disputed, page.currency) if line.disputed else None,
        "remaining": reader.money(shown, page.currency),
        "is_open": line.is_open,
        "document": f"/d/{line.document}" if line.document else None,
    }


def _badge(line: Line, days: int, reader: Reader) -> str:
    if not line.is_open:
        return reader.t(f"status.{line.status}")
    if line.money_state in {"in_payment", "needs_review"}:
        return reader.t(f"status.{line.money_state}")
    if days > 0:
        return reader.t.count("due.overdue", days)
    return reader.t("due.today") if days == 0 else reader.t.count("due.coming", -days)


def _tone(line: Line, days: int) -> str:
    if not line.is_open:
        return "good" if line.status == "paid" else "calm"
    if line.money_state in {"in_payment", "needs_review"}:
        return "calm"
    return "late" if days > 0 else "calm"


def _thanks(page: PayerPage, reader: Reader, received: int) -> list[str]:
    if not received or page.state != "open":
        return []
    return [reader.t("note.received", amount=reader.money(received, page.currency))]


def _notes(page: PayerPage, reader: Reader) -> list[str]:
    """What the payer has told us, once each, as far as it still counts."""
    promised = {line.promised_on for line in page.open_lines if line.promised_on is not None}
    notes = [reader.t("note.promised", day=reader.day(day)) for day in sorted(promised)]
    claimed = [line.claimed_until for line in page.open_lines if line.claimed_until is not None]
    if claimed:
        last = local_day(max(claimed) - timedelta(seconds=1), page.timezone)
        notes.append(reader.t("note.claimed", day=reader.day(last)))
    contested = sum(line.disputed for line in page.open_lines)
    if contested:
        notes.append(reader.t("note.disputed", amount=reader.money(contested, page.currency)))
    return notes


def _bank(page: PayerPage, reader: Reader, settings: Settings) -> dict[str, Any] | None:
    iban = (settings.business_iban or "").replace(" ", "")
    if not iban:
        return None
    reference = remittance(line.number for line in page.payable_lines)
    payload = None
    if page.currency == "EUR":
        payload = epc_payload(
            name=settings.business_name,
            iban=iban,
            bic=settings.business_bic,
            cents=page.payable,
            reference=reference,
        )
    return {
        "holder": settings.business_name,
        "iban": " ".join(iban[start : start + 4] for start in range(0, len(iban), 4)),
        "bic": settings.business_bic,
        "reference": reference,
        "amount": reader.money(page.payable, page.currency),
        "qr": qr_data_uri(payload) if payload else None,
    }
