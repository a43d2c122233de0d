"""Money is a function of the facts: order and copies cannot matter, and nothing is counted twice."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from nudgepay.payments.facts import INCOMING, Claim, Fact, Outcome, Target, allocate, money_state
from nudges.builders import at

NOON = at("2026-03-13T12:00")
CLAIMS = {number: Claim(number, "EUR", 10_000) for number in (1, 2, 3)}


def payment(id: int, amount: int, *targets: tuple[int, int], minute: int = 0, **changes: str) -> Fact:
    return Fact(
        id=id,
        provider="stripe",
        provider_id=f"pi_{id}",
        kind=changes.get("kind", "payment"),
        amount=amount,
        currency=changes.get("currency", "EUR"),
        occurred_at=NOON + timedelta(minutes=minute),
        targets=tuple(Target(*target) for target in targets),
        reverses=changes.get("reverses"),
    )


def refund(id: int, amount: int, of: int, kind: str = "refund") -> Fact:
    return payment(id, amount, minute=id, kind=kind, reverses=f"pi_{of}")


def test_one_payment_over_two_invoices_fills_the_oldest_first() -> None:
    outcome = allocate([payment(1, 15_000, (1, 10_000), (2, 10_000))], CLAIMS)
    assert outcome.paid == {1: 10_000, 2: 5_000}
    assert outcome.unapplied == {}


def test_an_invoice_paid_twice_leaves_the_second_payment_as_credit() -> None:
    outcome = allocate([payment(2, 10_000, (1, 10_000), minute=5), payment(1, 10_000, (1, 10_000))], CLAIMS)
    assert outcome.allocations == {(1, 1): 10_000}
    assert outcome.unapplied == {2: 10_000}


def test_a_refund_of_the_first_payment_lets_the_second_fill_the_room() -> None:
    facts = [payment(1, 10_000, (1, 10_000)), payment(2, 10_000, (1, 10_000), minute=5), refund(3, 10_000, of=1)]
    outcome = allocate(facts, CLAIMS)
    assert outcome.paid[1] == 10_000
    assert outcome.unapplied == {}
    assert outcome.allocations == {(1, 1): 10_000, (2, 1): 10_000, (3, 1): 10_000}


def test_a_partial_refund_reopens_the_last_target_first() -> None:
    facts = [payment(1, 20_000, (1, 10_000), (2, 10_000)), refund(2, 4_000, of=1)]
    outcome = allocate(facts, CLAIMS)
    assert outcome.paid == {1: 10_000, 2: 6_000}
    assert outcome.reversed_on == {2: 4_000}


def test_money_in_another_currency_is_credit_and_pays_nothing() -> None:
    outcome = allocate([payment(1, 10_000, (1, 10_000), currency="USD")], CLAIMS)
    assert outcome.paid.get(1, 0) == 0
    assert outcome.unapplied == {1: 10_000}


def test_no_invoice_gets_more_than_was_meant_for_it() -> None:
    outcome = allocate([payment(1, 10_000, (1, 4_000))], CLAIMS)
    assert (outcome.paid, outcome.unapplied) == ({1: 4_000}, {1: 6_000})


def test_an_invoice_that_is_named_twice_gets_both_parts() -> None:
    outcome = allocate([payment(1, 5_000, (1, 3_000), (1, 2_000))], CLAIMS)
    assert (outcome.allocations, outcome.paid) == ({(1, 1): 5_000}, {1: 5_000})


def test_what_was_credit_is_taken_back_before_what_an_invoice_had() -> None:
    outcome = allocate([payment(1, 10_000, (1, 3_000), (2, 3_000)), refund(2, 5_000, of=1)], CLAIMS)
    assert outcome.paid == {1: 3_000, 2: 2_000}
    assert outcome.reversed_on == {2: 1_000}
    assert outcome.allocations == {(1, 1): 3_000, (1, 2): 3_000, (2, 2): 1_000}


def test_two_refunds_share_what_was_taken_back_and_neither_exceeds_itself() -> None:
    facts = [payment(1, 8_000, (1, 4_000), (2, 4_000)), refund(2, 3_000, of=1), refund(3, 3_000, of=1)]
    outcome = allocate(facts, CLAIMS)
    assert outcome.paid == {1: 2_000, 2: 0}
    assert outcome.allocations == {(1, 1): 4_000, (1, 2): 4_000, (2, 2): 3_000, (3, 2): 1_000, (3, 1): 2_000}


def test_a_refund_of_one_unit_is_a_refund() -> None:
    outcome = allocate([payment(1, 10_000, (1, 10_000)), refund(2, 1, of=1)], CLAIMS)
    assert (outcome.paid, outcome.reversed_on) == ({1: 9_999}, {1: 1})
    assert outcome.allocations[2, 1] == 1


def test_refunds_of_two_payments_add_up_on_their_invoice() -> None:
    paid = [payment(1, 4_000, (1, 4_000)), payment(2, 4_000, (1, 4_000), minute=1)]
    outcome = allocate([*paid, refund(3, 1_000, of=1), refund(4, 500, of=2)], CLAIMS)
    assert (outcome.paid, outcome.reversed_on) == ({1: 6_500}, {1: 1_500})


def test_a_refund_in_another_currency_takes_nothing_back() -> None:
    foreign = payment(2, 5_000, minute=2, kind="refund", reverses="pi_1", currency="USD")
    outcome = allocate([payment(1, 10_000, (1, 10_000)), foreign, refund(3, 2_000, of=1)], CLAIMS)
    assert outcome.allocations == {(1, 1): 10_000, (3, 1): 2_000}
    assert outcome.paid == {1: 8_000}


def test_the_money_state_names_what_matters_most() -> None:
    def state(**changes: object) -> str:
        return money_state(
            **{
                "amount_due": 100,
                "paid": 0,
                "reversed_amount": 0,
                "overpaid": False,
                "in_payment": False,
                "in_review": False,
                **changes,
            }
        )

    assert state() == "unpaid"
    assert state(paid=40) == "partially_paid"
    assert state(paid=40, in_payment=True) == "in_payment"
    assert state(paid=100, in_payment=True) == "paid"
    assert state(paid=100, overpaid=True) == "overpaid"
    assert state(reversed_amount=100) == "refunded"
    assert state(paid=100, in_review=True) == "needs_review"


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    facts = []
    for id in range(1, draw(st.integers(1, 5)) + 1):
        targets = draw(
            st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12_000)), max_size=3, unique_by=lambda t: t[0])
        )
        facts.append(payment(id, draw(st.integers(1, 25_000)), *targets, minute=draw(st.integers(0, 3))))
    for id in range(10, 10 + draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["refund", "chargeback"]))
        facts.append(refund(id, draw(st.integers(1, 20_000)), of=draw(st.integers(1, 5)), kind=kind))
    return facts


@settings(max_examples=300, deadline=None)
@given(histories(), st.integers(0, 10**6))
def test_the_order_of_the_facts_cannot_matter(facts: list[Fact], seed: int) -> None:
    shuffled = list(facts)
    random.Random(seed).shuffle(shuffled)
    assert allocate(shuffled, CLAIMS) == allocate(facts, CLAIMS)


@settings(max_examples=300, deadline=None)
@given(histories())
def test_no_fact_and_no_invoice_is_counted_beyond_itself(facts: list[Fact]) -> None:
    outcome = allocate(facts, CLAIMS)
    by_id = {fact.id: fact for fact in facts}
    for fact in facts:
        allocated = sum(amount for (id, _), amount in outcome.allocations.items() if id == fact.id)
        assert 0 <= allocated + (outcome.unapplied.get(fact.id, 0) if fact.kind in INCOMING else 0) <= fact.amount
    for number, claim in CLAIMS.items():
        balance = _balance(outcome, by_id, number)
        assert outcome.paid.get(number, 0) == balance
        assert 0 <= balance <= claim.amount_due


def _balance(outcome: Outcome, by_id: dict[int, Fact], invoice_id: int) -> int:
    return sum(
        amount if by_id[id].kind in INCOMING else -amount
        for (id, number), amount in outcome.allocations.items()
        if number == invoice_id
    )


@settings(max_examples=200, deadline=None)
@given(histories())
def test_all_money_that_came_is_with_invoices_taken_back_or_credit(facts: list[Fact]) -> None:
    outcome = allocate(facts, CLAIMS)
    came = sum(fact.amount for fact in facts if fact.kind in INCOMING)
    by_payment = {fact.provider_id: fact.amount for fact in facts if fact.kind in INCOMING}
    back = dict.fromkeys(by_payment, 0)
    for fact in facts:
        if fact.reverses in back:
            back[fact.reverses] += fact.amount
    taken = sum(min(by_payment[name], amount) for name, amount in back.items())
    assert sum(outcome.paid.values()) + sum(outcome.unapplied.values()) + taken == came
    assert allocate(facts, CLAIMS) == outcome


@given(st.integers(1, 100), st.integers(0, 120), st.integers(0, 50), st.booleans(), st.booleans(), st.booleans())
def test_every_invoice_has_one_state_of_its_money(
    due: int, paid: int, back: int, over: bool, in_payment: bool, in_review: bool
) -> None:
    state = money_state(
        amount_due=due, paid=paid, reversed_amount=back, overpaid=over, in_payment=in_payment, in_review=in_review
    )
    assert (state == "needs_review") is in_review
    if not in_review:
        assert (state in {"paid", "overpaid"}) is (paid >= due)
        assert state != "unpaid" or paid == 0
