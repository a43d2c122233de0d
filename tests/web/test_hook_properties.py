"""Whatever machines and strangers send, the answer is a clear no or a yes, and what was stored is applied or parked."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.testclient import TestClient

from examples import examples
from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudgepay.nudges.cron import sign
from nudgepay.payments.apply import HANDLERS, drain
from nudgepay.payments.signatures import BadSignature, ensure_signed
from nudgepay.payments.terms import StripeTerms
from nudgepay.runtime import Runtime
from nudges.builders import at
from web.conftest import CRON, SECRET
from web.test_mail_hook import Provider, provider
from web.test_pay_pages import Payer, fake, payer

__all__ = ["fake", "payer", "provider"]
NOW = at("2026-03-13T09:00")
KNOWN = st.sampled_from(
    [
        *("id", "object", "type", "data", "metadata", "payment_intent", "amount", "amount_total", "amount_received"),
        *(
            "currency",
            "status",
            "payment_status",
            "livemode",
            "account",
            "refunds",
            "charge",
            "nudgepay_checkout",
            "created",
        ),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["checkout.session", "payment_intent", "EUR", "eur", "pi_1", "cs_1", "paid", "\0", "'; --"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KNOWN | st.text(max_size=8), inner, max_size=6),
)
OBJECTS = st.dictionaries(KNOWN | st.text(max_size=8), JSON, max_size=8)


def hook(client: TestClient, raw: bytes, header: str | None = None) -> int:
    signed = signature(raw, SECRET, int(time.time())) if header is None else header
    return client.post(
        "/webhooks/stripe", content=raw, headers={"Stripe-Signature": signed.encode("utf-8", "replace")}
    ).status_code


@examples(60)
@given(JSON)
def test_any_signed_json_is_taken_or_refused(client: TestClient, document: Any) -> None:
    assert hook(client, json.dumps(document).encode()) in {200, 400}


@examples(60)
@given(st.binary(max_size=300))
def test_any_signed_bytes_are_taken_or_refused(client: TestClient, raw: bytes) -> None:
    assert hook(client, raw) in {200, 400}


@examples(60)
@given(st.sampled_from(sorted(HANDLERS)), OBJECTS, OBJECTS)
def test_any_event_of_a_known_type_is_applied_or_waits_or_is_parked_and_books_nothing(
    client: TestClient, runtime: Runtime, kind: str, subject: dict[str, Any], around: dict[str, Any]
) -> None:
    document = around | {"id": f"evt_{time.time_ns()}", "type": kind, "data": {"object": subject}}
    status = hook(client, json.dumps(document).encode())
    assert status in {200, 400}
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE stripe_events SET attempts = 7, next_try_at = now() WHERE handled_at IS NULL"))
    outcomes = drain(runtime.db, None, terms=StripeTerms(livemode=False), now=NOW)
    assert outcomes.total() == (1 if status == 200 else 0)
    with runtime.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM money_facts")) == 0
        session.execute(text("DELETE FROM stripe_events"))


@examples(100)
@given(
    st.text(max_size=120)
    | st.lists(st.sampled_from(["t=", "v1=", ",", "0", "ab" * 32, "1773392400", "=", "v0="])).map("".join)
)
def test_no_header_of_any_kind_counts_as_a_signature(header: str) -> None:
    with pytest.raises(BadSignature):
        ensure_signed(b"{}", header, [SECRET], now=NOW)


@examples(100)
@given(st.binary(max_size=200), st.integers(-400, 400), st.integers(0, 3))
def test_a_signature_holds_for_its_bytes_and_five_minutes_on_either_side(raw: bytes, shift: int, damage: int) -> None:
    moment = int(NOW.timestamp())
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    header = signature(raw, SECRET, moment + shift)
    bad = {
        0: (raw, header),
        1: (raw + b" ", header),
        2: (raw, header[:-1] + "g"),
        3: (raw, header.replace("t=", "t=1")),
    }
    body, given_header = bad[damage]
    if damage == 0 and abs(shift) <= 300:
        ensure_signed(body, given_header, ["whsec_other", SECRET], now=NOW)
        return
    with pytest.raises(BadSignature):
        ensure_signed(body, given_header, ["whsec_other", SECRET], now=NOW)


@examples(60)
@given(st.text(max_size=40), st.text(max_size=80), st.binary(max_size=100), st.booleans())
def test_any_call_of_the_clock_is_asked_for_or_refused(
    client: TestClient, timestamp: str, signed: str, body: bytes, honest: bool
) -> None:
    moment = int(time.time())
    headers = {
        "X-Cron-Timestamp": (str(moment) if honest else timestamp).encode("utf-8", "replace").replace(b"\n", b""),
        "X-Cron-Signature": signed.encode("utf-8", "replace").replace(b"\n", b""),
    }
    safe = {name: bytes(sign for sign in value if sign >= 32) for name, value in headers.items()}
    assert client.post("/internal/run-reminders", content=body, headers=safe).status_code == 401
    good = {"X-Cron-Timestamp": str(moment), "X-Cron-Signature": sign(CRON, moment, body)}
    first = client.post("/internal/run-reminders", content=body, headers=good).status_code
    assert first in {202, 401}
    assert client.post("/internal/run-reminders", content=body, headers=good).status_code == 401


@examples(60)
@given(st.dictionaries(st.sampled_from(["type", "message_id", "recipient", "status", "at"]), LEAVES) | JSON)
def test_any_signed_word_of_a_mail_provider_is_taken_or_refused(provider: Provider, event: Any) -> None:
    for told in ({"events": [event]}, event):
        assert provider.tell(told).status_code in {200, 400}


@examples(40)
@given(
    st.sampled_from(["/pay", "/paid", "/promise", "/dispute", "/wrong-person"]),
    st.dictionaries(
        st.sampled_from(["amount", "day", "message", "undo", "List-Unsubscribe"]),
        st.text(max_size=40) | st.sampled_from(["2026-12-24", "9999-12-31", "0001-01-01", "1,50", "-1", "1e9", "\0"]),
    ),
    st.text(max_size=20),
)
def test_any_form_of_a_payer_is_answered_as_a_person_can_read_it(
    payer: Payer, path: str, fields: dict[str, str], language: str
) -> None:
    safe = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    spoken = language.encode("utf-8", "replace").decode()
    answer = payer.browser.post(f"/p/{payer.token}{path}", params={"lang": spoken}, data=safe)
    assert answer.status_code in {200, 303, 404, 409, 422, 503}
