"""Calls to Stripe end: paced, bounded, repeated where that is safe, and told apart by what may be done next."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nudgepay import clock
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.pace import Pace
from nudgepay.gateways.stripe import (
    AmountNotPayable,
    StripeGateway,
    StripeKeyRejected,
    StripeKeyReused,
    StripeOutcomeUnknown,
    StripeRefused,
    StripeUnavailable,
)

CREATE = "POST /v1/checkout/sessions"


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        yield server


@pytest.fixture
def gateway(fake: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5, calls_per_second=5_000)


def create(gateway: StripeGateway, **changes: Any) -> dict[str, Any]:
    return gateway.create_checkout_session(
        **{
            "amount": 12_345,
            "currency": "EUR",
            "description": "Invoice A-1",
            "success_url": "https://pay.example/p/t?paid=1",
            "cancel_url": "https://pay.example/p/t",
            "metadata": {"nudgepay_page": "invoice:1"},
            "idempotency_key": "k1",
            "locale": "de-AT",
            **changes,
        }
    )


def test_it_asks_for_the_invoices_currency_and_no_other(gateway: StripeGateway) -> None:
    session = create(gateway)
    assert (session["currency"], session["adaptive_pricing"]) == ("eur", {"enabled": False})
    assert session["locale"] == "de"


def test_a_failed_try_is_repeated_under_the_same_key(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("drop", "503")
    assert create(gateway)["status"] == "open"
    assert len(fake.calls) == 3


def test_no_more_than_three_tries_are_made(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next(*["503"] * 9)
    with pytest.raises(StripeOutcomeUnknown):
        create(gateway)
    assert len(fake.calls) == 3


@pytest.mark.parametrize("status", ["500", "503"])
def test_a_read_that_fails_did_nothing(fake: FakeStripe, gateway: StripeGateway, status: str) -> None:
    fake.fail_next(*[status] * 3)
    with pytest.raises(StripeUnavailable):
        gateway.retrieve_account()


def test_what_stripe_says_not_to_repeat_is_not_repeated(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("500")
    with pytest.raises(StripeOutcomeUnknown) as unknown:
        create(gateway)
    assert len(fake.calls) == 1
    assert not unknown.value.is_replay
    with pytest.raises(StripeOutcomeUnknown) as replayed:
        create(gateway)
    assert replayed.value.is_replay


@pytest.mark.parametrize("later", ["429", "503"])
def test_a_try_without_an_answer_is_not_forgotten_when_the_next_is_turned_away(
    fake: FakeStripe, gateway: StripeGateway, later: str
) -> None:
    fake.fail_next("drop_after", later, later)
    with pytest.raises(StripeOutcomeUnknown):
        create(gateway)
    assert len(fake.sessions()) == 1


def test_a_call_that_the_limiter_turned_away_did_nothing(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("429", "429", "429")
    with pytest.raises(StripeUnavailable):
        create(gateway)
    assert fake.sessions() == []
    assert create(gateway)["status"] == "open"


def test_a_key_whose_first_call_still_runs_leaves_doubt(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.fail_next("hold")
    first: list[dict[str, Any]] = []
    slow = threading.Thread(target=lambda: first.append(create(gateway)))
    slow.start()
    assert fake.faults.holding.wait(10)
    with pytest.raises(StripeOutcomeUnknown):
        create(gateway)
    fake.faults.released.set()
    slow.join()
    assert create(gateway)["id"] == first[0]["id"]


def test_one_that_does_not_answer_is_given_up_in_time(fake: FakeStripe) -> None:
    impatient = StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=0.3)
    fake.fail_next("hang_after", "hang_after", "hang_after")
    with pytest.raises(StripeOutcomeUnknown):
        create(impatient)
    assert len(fake.sessions()) == 1
    assert len(fake.calls) <= 2, "no try begins after one and a half timeouts"


def test_nobody_listening_is_told_as_unavailable() -> None:
    with FakeStripe() as gone:
        url = gone.url
    with pytest.raises(StripeUnavailable):
        StripeGateway(api_key=lambda: "sk_test_x", base_url=url, timeout=1).retrieve_account()


def test_a_refusal_is_final_and_carries_stripes_word(fake: FakeStripe, gateway: StripeGateway) -> None:
    with pytest.raises(StripeRefused) as refused:
        gateway.retrieve_checkout_session("cs_test_none")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    assert len(fake.calls) == 1


def test_a_key_with_other_parameters_is_a_case_of_its_own(gateway: StripeGateway) -> None:
    create(gateway)
    with pytest.raises(StripeKeyReused):
        create(gateway, amount=12_346)


@pytest.mark.parametrize("amount", [49, 100_000_000])
def test_an_amount_out_of_stripes_bounds_is_not_payable_by_card(gateway: StripeGateway, amount: int) -> None:
    with pytest.raises(AmountNotPayable):
        create(gateway, amount=amount)


def test_a_rotated_key_is_used_with_the_next_call(fake: FakeStripe, gateway: StripeGateway) -> None:
    gateway.retrieve_account()
    fake.api_key = "sk_test_rotated"
    assert gateway.retrieve_account()["id"] == fake.store.account


def test_a_rejected_key_is_tried_once_and_never_shown(fake: FakeStripe) -> None:
    secret = "sk_test_51Secret"
    with pytest.raises(StripeKeyRejected) as rejected:
        StripeGateway(api_key=lambda: secret, base_url=fake.url).retrieve_account()
    assert secret not in str(rejected.value)
    assert len(fake.calls) == 1


def test_retry_after_holds_every_call_of_the_process(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.limits.retry_after = 60
    fake.fail_next("429")
    with pytest.raises(StripeUnavailable):
        gateway.retrieve_account()
    with pytest.raises(StripeUnavailable):
        create(gateway)
    assert len(fake.calls) == 1


def test_answers_are_plain_values_all_the_way_down(fake: FakeStripe, gateway: StripeGateway) -> None:
    fake.pay(create(gateway)["id"])

    def kinds(node: Any) -> set[type]:
        if isinstance(node, dict):
            return {type(node)}.union(*(kinds(value) for value in node.values()))
        if isinstance(node, list):
            return {type(node)}.union(*(kinds(value) for value in node))
        return {type(node)}

    documents = [*gateway.list_events(created_since=0), *gateway.list_checkout_sessions(created_since=0)]
    assert len(documents) == 4
    assert kinds(documents) <= {dict, list, str, int, bool, type(None)}


def test_no_second_sees_more_calls_than_the_pace_allows(figures: Callable[..., None]) -> None:
    pace = Pace(per_second=200)
    left: list[float] = []

    def leave() -> None:
        for _ in range(20):
            assert pace.take(patience=10)
            left.append(clock.monotonic())

    threads = [threading.Thread(target=leave) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busiest = max(sum(at <= other < at + 1 for other in left) for at in left)
    figures("pace", calls=len(left), allowed=200, busiest_second=busiest)
    assert len(left) == 400
    assert busiest <= 200


def test_a_held_pace_lets_nobody_leave_and_says_so_at_once() -> None:
    pace = Pace(per_second=100)
    pace.hold(60)
    assert not pace.take(patience=1)
