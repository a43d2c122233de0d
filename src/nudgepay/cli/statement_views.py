"""A bank line and its proposal for a person's eyes, and for `--json`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nudgepay.errors import UsageError
from nudgepay.money import format_money

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from nudgepay.payments.statements.proposals import Option
    from nudgepay.payments.statements.queries import Listed

CUT = 60


def document(listed: "Listed") -> dict[str, Any]:
    """One entry of `statements list --json`; amounts in minor units."""
    line = listed.line
    return {
        "line": line.id,
        "kind": line.kind,
        "state": line.state,
        "booked_on": line.booked_on,
        "amount": line.amount,
        "currency": line.currency,
        "counterparty": line.counterparty,
        "purpose": line.purpose,
        "reference": line.reference,
        "payment": line.fact_id,
        "reason": line.reason,
        "decided_by": line.decided_by,
        "proposal": _proposal(listed) if line.state == "waiting" else None,
    }


def _proposal(listed: "Listed") -> dict[str, Any]:
    proposal = listed.proposal
    return {
        "confidence": proposal.confidence,
        "score": proposal.score,
        "parts": _parts(proposal.chosen) if proposal.chosen else [],
        "reasons": [*(proposal.chosen.reasons if proposal.chosen else ()), *proposal.notes],
        "left": proposal.chosen.left if proposal.chosen else 0,
        "options": [
            {
                "client": one.client_name,
                "score": one.score,
                "parts": _parts(one),
                "left": one.left,
                "reasons": one.reasons,
            }
            for one in proposal.options
        ],
        "same_transfer": [{"payment": twin.fact_id, "on": twin.on} for twin in listed.twins],
    }


def _parts(option: "Option") -> list[dict[str, Any]]:
    return [{"invoice": part.number, "amount": part.amount} for part in option.parts]


def row(listed: "Listed") -> tuple[object, ...]:
    """One row of the table."""
    line = listed.line
    amount = format_money(line.amount, line.currency, "en")
    is_what = listed.proposal.confidence if line.state == "waiting" else line.state
    return line.id, line.booked_on, amount, line.counterparty[:CUT], line.purpose[:CUT], is_what, _told(listed)


def _told(listed: "Listed") -> str:
    line, proposal = listed.line, listed.proposal
    if line.state == "confirmed":
        return f"payment {line.fact_id}"
    if line.state == "ignored":
        return line.reason or ""
    told = [option_text(one, line.currency) for one in ([proposal.chosen] if proposal.chosen else proposal.options)]
    return "; ".join([" or ".join(told), *proposal.notes, *warnings(listed)]).strip("; ")


def option_text(option: "Option", currency: str) -> str:
    """The parts of an option, and what is left over."""
    parts = [f"{part.number}={format_money(part.amount, currency, 'en')}" for part in option.parts]
    if option.left:
        parts.append(f"{format_money(option.left, currency, 'en')} left over")
    return " ".join(parts)


def warnings(listed: "Listed") -> list[str]:
    """Payments on the books that may be the same transfer."""
    return [f"payment {twin.fact_id} of {twin.on} may be the same transfer" for twin in listed.twins]


def targets_of(listed: "Listed") -> list[dict[str, int]]:
    """The preselected option's parts; raises UsageError when there is none."""
    chosen = listed.proposal.chosen
    if chosen is None:
        told = [option_text(one, listed.line.currency) for one in listed.proposal.options]
        hint = f" It may be {' or '.join(told)}." if told else ""
        raise UsageError(
            f"line {listed.line.id} has no proposal ({'; '.join(listed.proposal.notes)}): name its invoices,"
            f" NUMBER=AMOUNT.{hint}"
        )
    return [{"invoice_id": part.invoice_id, "amount": part.amount} for part in chosen.parts]


def describe(session: "Session", listed: "Listed", targets: Sequence[dict[str, int]]) -> list[str]:
    """What will be booked, and why, before a person is asked."""
    from nudgepay.invoices.models import Invoice

    line, chosen = listed.line, listed.proposal.chosen
    amount = format_money(line.amount, line.currency, "en")
    told = [f"Line {line.id}: {amount} of {line.booked_on} from {line.counterparty or 'unknown'}: {line.purpose}"]
    for target in targets:
        invoice = session.get_one(Invoice, target["invoice_id"])
        part = format_money(target["amount"], line.currency, "en")
        rest = format_money(invoice.amount_remaining, line.currency, "en")
        told.append(f"  {part} for {invoice.number}, on which {rest} is open")
    left = line.amount - sum(target["amount"] for target in targets)
    if left:
        told.append(f"  {format_money(left, line.currency, 'en')} is left over: it needs --credit")
    if chosen is not None:
        told.append(f"  Proposed as {listed.proposal.confidence}: {', '.join(chosen.reasons)}.")
    return [*told, *(f"  Careful: {warning}; it needs --again" for warning in warnings(listed))]
