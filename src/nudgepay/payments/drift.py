"""What the books hold and Stripe does not: told to people, taken back when Stripe knows it after all."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.db import Database
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeRefused
from nudgepay.ledger import Notice
from nudgepay.payments.checkouts import minor_units
from nudgepay.payments.models import MoneyFact

ACTOR = "job:stripe_sweep"
MAX_LOOKS = 500
_KEY = "stripe.drift:"


def compare_facts(db: Database, gateway: StripeGateway, *, since: datetime) -> int:
    """Ask Stripe for every fact booked since then, and for those told as drift; returns how many do not agree."""
    ask: dict[str, Callable[[str], dict[str, Any]]] = {
        "payment": gateway.retrieve_payment_intent,
        "refund": gateway.retrieve_refund,
        "chargeback": gateway.retrieve_dispute,
    }
    found = 0
    for fact in _facts(db, since):
        what = f"{fact.kind}:{fact.provider_id}"
        fault = _fault(fact, ask[fact.kind])
        if fault is None:
            with db.transaction() as session:
                ledger.resolve_notice(session, _KEY + what, actor=ACTOR)
        else:
            tell(db, what, fault)
            found += 1
    return found


def _fault(fact: MoneyFact, ask: Callable[[str], dict[str, Any]]) -> str | None:
    try:
        document = ask(fact.provider_id)
    except StripeKeyRejected:
        raise
    except StripeRefused:
        return "unknown_at_stripe"
    told = document.get("amount_received" if fact.kind == "payment" else "amount")
    currency = str(document.get("currency", "")).upper()
    if (minor_units(told, currency), currency) != (fact.amount, fact.currency):
        return "other_amount_at_stripe"
    return None


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
