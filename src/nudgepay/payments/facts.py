"""What a client's money facts do to its invoices: pure functions of the facts, so order and copies cannot matter.

Payments are taken in canonical order (when they happened, then provider and id). Each payment's net, that is
its amount without what refunds and chargebacks took back, fills its targets in their order, never beyond what
was asked for an invoice nor beyond what the invoice still needs. What is taken back is recorded on both sides:
on the payment and on the refund, so that for every invoice paid = payments - reversals, and no fact is ever
allocated beyond its amount. What is left over is the client's unapplied credit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

INCOMING = frozenset({"payment", "manual", "credit"})
REVERSING = frozenset({"refund", "chargeback"})

MoneyState = Literal["unpaid", "partially_paid", "in_payment", "paid", "overpaid", "refunded", "needs_review"]


@dataclass(frozen=True, slots=True)
class Target:
    """Up to `amount` minor units for one invoice."""

    invoice_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A live money fact, in positive minor units. `reverses` is the provider_id of the payment taken back."""

    id: int
    provider: str
    provider_id: str
    kind: str
    amount: int
    currency: str
    occurred_at: datetime
    targets: tuple[Target, ...] = ()
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An invoice as the facts see it: what it needs, in which currency."""

    invoice_id: int
    currency: str
    amount_due: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`allocations`: (fact id, invoice id) to minor units. `unapplied`: incoming fact id to minor units left
    over. `reversed_on`: what refunds and chargebacks took back, by invoice id."""

    allocations: dict[tuple[int, int], int]
    unapplied: dict[int, int]
    paid: dict[int, int]
    reversed_on: dict[int, int]


def allocate(facts: Iterable[Fact], claims: Mapping[int, Claim]) -> Outcome:
    """Spread all live facts of one client over its invoices."""
    known = list(facts)
    reversals = _reversals_by_payment(known)
    room = {claim.invoice_id: claim.amount_due for claim in claims.values()}
    outcome = Outcome({}, {}, defaultdict(int), defaultdict(int))
    incoming = sorted((fact for fact in known if fact.kind in INCOMING), key=_canonical)
    for fact in incoming:
        taken_back = reversals.get((fact.provider, fact.provider_id), [])
        _spread(fact, taken_back, claims, room, outcome)
    return outcome


def _canonical(fact: Fact) -> tuple[datetime, str, str, str]:
    return fact.occurred_at, fact.provider, fact.provider_id, fact.kind


def _reversals_by_payment(facts: list[Fact]) -> dict[tuple[str, str], list[Fact]]:
    found: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in sorted((fact for fact in facts if fact.kind in REVERSING), key=_canonical):
        if fact.reverses is not None:
            found[fact.provider, fact.reverses].append(fact)
    return found


def _spread(
    fact: Fact, reversals: list[Fact], claims: Mapping[int, Claim], room: dict[int, int], outcome: Outcome
) -> None:
    targets = [
        target
        for target in fact.targets
        if target.invoice_id in claims and claims[target.invoice_id].currency == fact.currency
    ]
    taken = min(fact.amount, sum(reversal.amount for reversal in reversals if reversal.currency == fact.currency))
    net = fact.amount - taken
    applied: dict[int, int] = defaultdict(int)
    for target in targets:
        part = min(net, target.amount, room[target.invoice_id])
        applied[target.invoice_id] += part
        room[target.invoice_id] -= part
        outcome.paid[target.invoice_id] += part
        net -= part
    back = _reversed_parts(targets, applied, taken)
    for target in targets:
        whole = applied[target.invoice_id] + back.get(target.invoice_id, 0)
        if whole:
            outcome.allocations[fact.id, target.invoice_id] = whole
    _record_reversals(fact, reversals, back, outcome)
    if net:
        outcome.unapplied[fact.id] = net


def _reversed_parts(targets: list[Target], applied: Mapping[int, int], taken: int) -> dict[int, int]:
    """Where the money that was taken back had lain: the targets from the last to the first."""
    back: dict[int, int] = {}
    for target in reversed(targets):
        part = min(taken, target.amount - applied[target.invoice_id])
        if part > 0:
            back[target.invoice_id] = part
            taken -= part
    return back


def _record_reversals(fact: Fact, reversals: list[Fact], back: dict[int, int], outcome: Outcome) -> None:
    left = dict(back)
    for invoice_id, part in back.items():
        outcome.reversed_on[invoice_id] += part
    for reversal in reversals:
        amount = reversal.amount if reversal.currency == fact.currency else 0
        for invoice_id in left:
            part = min(amount, left[invoice_id])
            if part:
                outcome.allocations[reversal.id, invoice_id] = part
                left[invoice_id] -= part
                amount -= part


def money_state(
    *, amount_due: int, paid: int, reversed_amount: int, overpaid: bool, in_payment: bool, in_review: bool
) -> MoneyState:
    """The money axis of one invoice; the first that applies of: needs_review, settled, in payment, refunded,
    partly paid, unpaid."""
    if in_review:
        return "needs_review"
    if paid >= amount_due:
        return "overpaid" if overpaid else "paid"
    if in_payment:
        return "in_payment"
    if paid == 0:
        return "refunded" if reversed_amount else "unpaid"
    return "partially_paid"
