"""The cron hook: signed by us, near in time, each call once."""

import time

import psycopg
import pytest
from starlette.testclient import TestClient

from nudgepay.automation.waking import CHANNEL
from nudgepay.db import libpq_url
from nudgepay.nudges.cron import sign
from nudgepay.runtime import Runtime
from web.conftest import CRON


def call(client: TestClient, *, body: bytes = b"", at: int | None = None, signature: str | None = None) -> int:
    moment = int(time.time()) if at is None else at
    headers = {"X-Cron-Timestamp": str(moment), "X-Cron-Signature": signature or sign(CRON, moment, body)}
    return client.post("/internal/run-reminders", content=body, headers=headers).status_code


def test_a_signed_call_asks_for_a_pass_once(client: TestClient, runtime: Runtime) -> None:
    now = int(time.time())
    with psycopg.connect(libpq_url(runtime.db.url), autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        assert call(client, at=now) == 202
        assert call(client, at=now) == 401
        heard = [hint.payload for hint in listening.notifies(timeout=2)]
    assert heard == ["nudge_pass"]


@pytest.mark.parametrize("shift", [-301, 301])
def test_a_call_of_another_time_is_refused(client: TestClient, shift: int) -> None:
    assert call(client, at=int(time.time()) + shift) == 401


def test_a_swapped_body_or_signature_is_refused(client: TestClient) -> None:
    now = int(time.time())
    assert call(client, body=b"x", at=now, signature=sign(CRON, now, b"")) == 401
    assert call(client, at=now, signature="0" * 64) == 401
    assert call(client, at=now, signature="not hex at all") == 401


def test_an_unsigned_call_is_refused(client: TestClient) -> None:
    assert client.post("/internal/run-reminders").status_code == 401
