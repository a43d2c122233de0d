"""The hook stores what is signed, refuses what is not, and never says yes without a commit."""

import gzip
import json
import random
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudgepay.runtime import Runtime
from web.conftest import SECRET


def event(number: int | str = 1, **changes: object) -> bytes:
    document = {"id": f"evt_{number}", "object": "event", "type": "ping", "livemode": False, "data": {"object": {}}}
    return json.dumps({**document, **changes}).encode()


def post(client: TestClient, raw: bytes, *, at: float | None = None, secret: str = SECRET, header: str | None = None):
    signed = signature(raw, secret, int(at if at is not None else time.time()))
    return client.post(
        "/webhooks/stripe", content=raw, headers={"Stripe-Signature": signed if header is None else header}
    )


def stored(runtime: Runtime) -> list[str]:
    with runtime.db.transaction() as session:
        return list(session.scalars(text("SELECT event_id FROM stripe_events ORDER BY 1")))


def test_a_signed_event_is_stored_before_it_is_answered(client: TestClient, runtime: Runtime) -> None:
    assert post(client, event()).status_code == 200
    assert stored(runtime) == ["evt_1"]


def test_every_accepted_secret_works(client: TestClient, runtime: Runtime) -> None:
    assert post(client, event(), secret=f"whsec_old{'x' * 30}").status_code == 200
    assert stored(runtime) == ["evt_1"]


@pytest.mark.parametrize("header", ["", "t=,v1=", "garbage", "v1=abc", "t=1", "x" * 10_000], ids=range(6))
def test_what_is_not_signed_is_refused_and_leaves_no_row(client: TestClient, runtime: Runtime, header: str) -> None:
    assert post(client, event(), header=header).status_code == 400
    assert stored(runtime) == []


@pytest.mark.parametrize("secret", ["", "whsec_other"])
def test_another_or_an_empty_secret_is_refused(client: TestClient, runtime: Runtime, secret: str) -> None:
    assert post(client, event(), secret=secret).status_code == 400
    assert stored(runtime) == []


def test_a_body_written_anew_is_refused(client: TestClient, runtime: Runtime) -> None:
    raw = event()
    signed = signature(raw, SECRET, int(time.time()))
    other = json.dumps(json.loads(raw), indent=1).encode()
    assert client.post("/webhooks/stripe", content=other, headers={"Stripe-Signature": signed}).status_code == 400
    assert stored(runtime) == []


@pytest.mark.parametrize("shift", [-301, 3600])
def test_an_old_or_future_timestamp_is_refused(client: TestClient, shift: int) -> None:
    assert post(client, event(), at=time.time() + shift).status_code == 400


def test_an_old_signature_does_not_become_fresh_by_a_second_timestamp(client: TestClient, runtime: Runtime) -> None:
    raw, now = event(), int(time.time())
    old = signature(raw, SECRET, now - 86_400).removeprefix(f"t={now - 86_400},")
    for header in (
        f"t={now - 86_400}=x,t={now},{old}",
        f"t={now},t={now - 86_400},{old}",
        f"t={now - 86_400},{old},t={now}",
    ):
        assert post(client, raw, header=header).status_code == 400
    assert stored(runtime) == []


def test_a_header_that_is_no_ascii_is_refused(client: TestClient) -> None:
    raw = event()
    answer = client.post(
        "/webhooks/stripe", content=raw, headers={"Stripe-Signature": f"t={int(time.time())},v1=é".encode()}
    )
    assert answer.status_code == 400


def test_several_signatures_are_looked_at_while_stripe_rolls_a_secret(client: TestClient) -> None:
    raw, now = event(), int(time.time())
    good = signature(raw, SECRET, now)
    assert post(client, raw, header=f"{good},v1={'0' * 64},v0={'1' * 64}").status_code == 200
    assert post(client, raw, header=good.replace(",v1=", f",v1={'0' * 64},v1=")).status_code == 200


def test_a_replay_has_one_effect(client: TestClient, runtime: Runtime) -> None:
    assert {post(client, event()).status_code for _ in range(20)} == {200}
    assert stored(runtime) == ["evt_1"]


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"{",
        b'{"id": "evt_1"}',
        event(id="x" * 10_000),
        event(id=None),
        event(type=7),
        b"\xff\xfe",
        b'{"id": "evt_1", "type": "ping", "x": NaN}',
        b"[" * 100_000,
        b'{"id": "evt_1", "type": "ping", "x": "\\u0000"}',
        b'{"id": "evt_1", "type": "ping", "\\uD800": [1]}',
    ],
    ids=range(11),
)
def test_a_signed_body_that_is_no_event_is_refused(client: TestClient, runtime: Runtime, raw: bytes) -> None:
    assert post(client, raw).status_code == 400
    assert stored(runtime) == []


def test_text_that_only_looks_like_an_escape_is_kept(client: TestClient, runtime: Runtime) -> None:
    raw = b'{"id": "evt_1", "type": "ping", "x": "\\\\u0000 \\ud83d\\ude00"}'
    assert post(client, raw).status_code == 200
    assert stored(runtime) == ["evt_1"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip"])
def test_a_compressed_body_is_not_even_read(client: TestClient, runtime: Runtime, encoding: str) -> None:
    raw = gzip.compress(event())
    headers = {"Stripe-Signature": signature(raw, SECRET, int(time.time())), "Content-Encoding": encoding}
    assert client.post("/webhooks/stripe", content=raw, headers=headers).status_code == 415
    assert stored(runtime) == []


def test_a_body_larger_than_any_event_is_refused_by_its_length(client: TestClient, runtime: Runtime) -> None:
    assert post(client, b"x" * (256 * 1024 + 1)).status_code == 413
    assert stored(runtime) == []


def test_without_a_secret_there_is_no_hook(client: TestClient, runtime: Runtime) -> None:
    from nudgepay.web.app import create_app

    bare = runtime.settings.model_copy(update={"stripe_webhook_secret": None})
    from dataclasses import replace

    with TestClient(create_app(replace(runtime, settings=bare))) as asking:
        assert post(asking, event()).status_code == 404


def test_a_stream_with_copies_and_bad_signatures_ends_in_exactly_the_good_events(
    client: TestClient, runtime: Runtime, figures: Callable[..., None]
) -> None:
    seed = 20260313
    dice = random.Random(seed)
    good = [f"n{number}" for number in range(300)]
    sendings = [(number, True) for number in good] + [(dice.choice(good), True) for _ in range(60)]
    sendings += [(f"bad{number}", False) for number in range(15)]
    dice.shuffle(sendings)
    unexpected = 0
    for number, honest in sendings:
        status = post(client, event(number), secret=SECRET if honest else "whsec_wrong").status_code
        unexpected += status != (200 if honest else 400)
    kept = stored(runtime)
    lost = len(set(good) - {event_id.removeprefix("evt_") for event_id in kept})
    duplicate = len(kept) - len(set(kept))
    figures("stream", n=len(sendings), lost=lost, duplicate=duplicate, unexpected=unexpected, seed=seed)
    assert (lost, unexpected, len(kept)) == (0, 0, 300)


def test_an_answer_is_never_yes_while_the_database_is_away(client: TestClient, runtime: Runtime) -> None:
    post(client, event(0))
    with runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("ALTER TABLE stripe_events RENAME TO away"))
    assert post(client, event(1)).status_code == 503
    with runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("ALTER TABLE away RENAME TO stripe_events"))
    assert post(client, event(1)).status_code == 200
    assert stored(runtime) == ["evt_0", "evt_1"]
