"""What the books hold and Stripe does not: told to people, taken back when Stripe knows it after all."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.db import Database
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeRefused
from nudgepay.gateways.stripe_amounts import to_stripe
from nudgepay.ledger import Notice
from nudgepay.payments.checkouts import minor_units
from nudgepay.payments.models import MoneyFact
from nudgepay.payments.stripe_invoices import money_of

ACTOR = "job:stripe_sweep"
MAX_LOOKS = 500
_KEY = "stripe.drift:"


def compare_facts(db: Database, gateway: StripeGateway, *, since: datetime) -> int:
    """Ask Stripe for every fact booked since then, and for those told as drift; returns how many do not agree."""
    found = 0
    for fact in _facts(db, since):
        what = f"{fact.kind}:{fact.provider_id}"
        fault = _fault(gateway, fact)
        if fault is None:
            with db.transaction() as session:
                ledger.resolve_notice(session, _KEY + what, actor=ACTOR)
        else:
            tell(db, what, fault)
            found += 1
    return found


def _fault(gateway: StripeGateway, fact: MoneyFact) -> str | None:
    try:
        told, currency = _told(gateway, fact)
    except StripeKeyRejected:
        raise
    except StripeRefused:
        return "unknown_at_stripe"
    code = str(currency or "").upper()
    if (minor_units(told, code), code) != (fact.amount, fact.currency):
        return "other_amount_at_stripe"
    return None


def _told(gateway: StripeGateway, fact: MoneyFact) -> tuple[Any, Any]:
    """The amount (Stripe's units) and currency that Stripe names for a fact now."""
    name = fact.provider_id
    if fact.kind != "payment":
        document = (gateway.retrieve_refund if fact.kind == "refund" else gateway.retrieve_dispute)(name)
        return document.get("amount"), document.get("currency")
    if name.startswith("inpay_"):
        document = gateway.invoices.retrieve_payment(name)
        return document.get("amount_paid"), document.get("currency")
    if name.startswith("in_"):
        return _told_by_invoice(gateway.invoices.retrieve(name), fact)
    document = gateway.retrieve_payment_intent(name)
    return document.get("amount_received"), document.get("currency")


def _told_by_invoice(document: dict[str, Any], fact: MoneyFact) -> tuple[Any, Any]:
    """Money from outside Stripe has no object there: it is the paid invoice's rest."""
    rest = next((came for came in money_of(document) if came.provider_id == fact.provider_id), None)
    amount = rest.amount if rest is not None else None
    return (None if amount is None else to_stripe(amount, fact.currency)), document.get("currency")


def _facts(db: Database, since: datetime) -> list[MoneyFact]:
    with db.transaction() as session:
        query = select(Notice.dedup_key).where(Notice.kind == "stripe.drift", Notice.resolved_at.is_(None))
        told = [key.rpartition(":")[2] for key in session.scalars(query)]
        facts = (
            select(MoneyFact)
            .where(MoneyFact.provider == "stripe", MoneyFact.voided_at.is_(None), MoneyFact.problem.is_(None))
            .where(or_(MoneyFact.recorded_at >= since, MoneyFact.provider_id.in_(told)))
            .order_by(MoneyFact.id.desc())
            .limit(MAX_LOOKS)
        )
        return list(session.scalars(facts))


def tell(db: Database, what: str, fault: str) -> None:
    """One open notice for each object; `what` is `kind:provider_id`."""
    with db.transaction() as session:
        ledger.notice(session, "stripe.drift", _KEY + what, {"object": what, "fault": fault})


def standing(session: Session, refund_id: str) -> bool | None:
    """Whether a refund counts in the books; None when they do not have it."""
    query = select(MoneyFact.voided_at).where(
        MoneyFact.provider == "stripe", MoneyFact.provider_id == refund_id, MoneyFact.kind == "refund"
    )
    row = session.execute(query).first()
    return None if row is None else row.voided_at is None
