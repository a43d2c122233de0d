"""What a mail provider tells: signed, understood, taken once; never a 5xx for what cannot be used."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.runtime import build_runtime
from nudgepay.web.app import create_app
from nudges.books import due_clients, send, states, value

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()


class Provider:
    """Signs as a provider does."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def tell(self, body: object, *, secret: str = SECRET, at: float | None = None, **headers: str) -> Any:
        raw = body if isinstance(body, str) else json.dumps(body)
        moment = int(time.time() if at is None else at)
        signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(moment, UTC), raw)
        given = {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signature}
        return self.client.post("/webhooks/mail", content=raw, headers=given | headers)


@pytest.fixture
def provider(settings: Settings):
    given = settings.model_copy(
        update={"mail_webhook_secret": SecretStr(f"{OLD},{SECRET}"), "base_url": "http://testserver"}
    )
    runtime = build_runtime(given)
    with TestClient(create_app(runtime)) as client:
        yield Provider(client)
    runtime.close()


def bounced(db: Database, **changes: object) -> dict[str, object]:
    event = {"type": "bounced", "message_id": value(db, "SELECT message_id FROM letters"), "status": "5.1.1"}
    return {"events": [event | changes]}


def test_a_signed_bounce_is_taken_once(provider: Provider, db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    send(db, settings)
    told = bounced(db, recipient="client0@client.example", at="2026-03-02T10:00:00Z")
    assert provider.tell(told).json() == {"taken": {"bounced": 1}}
    assert provider.tell(told, secret=OLD).json() == {"taken": {"repeated": 1}}
    assert states(db, "letters") == {"bounced": 1}
    assert value(db, "SELECT count(*) FROM suppressions") == 1


@pytest.mark.parametrize("shift", [-600, 600])
def test_a_call_of_another_time_is_refused(provider: Provider, shift: int) -> None:
    assert provider.tell({"events": []}, at=time.time() + shift).status_code == 400


def test_an_unsigned_or_foreign_call_is_refused(provider: Provider) -> None:
    foreign = "whsec_" + base64.b64encode(b"f" * 24).decode()
    assert provider.tell({"events": []}, secret=foreign).status_code == 400
    assert provider.tell({"events": []}, **{"webhook-signature": "v1,xx v2"}).status_code == 400
    assert provider.client.post("/webhooks/mail", content=b"{}").status_code == 400


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("[", "JSON"),
        ({"events": 1}, "events"),
        ({"events": [{"type": "lost", "message_id": "x"}]}, "events.0.type"),
        ({"events": [{"type": "bounced", "message_id": "x" * 500}]}, "events.0.message_id"),
        ({"events": [{"type": "bounced", "message_id": "x", "status": "none"}]}, "events.0.status"),
        ({"events": [{"type": "bounced", "message_id": "x"}] * 501}, "events"),
        ({"events": [{"type": "bounced", "message_id": "x", "at": "2026-03-02T10:00:00"}]}, "events.0.at"),
        ({"events": [{"type": "bounced", "message_id": "x", "at": "99999-01-01T00:00:00Z"}]}, "events.0.at"),
    ],
)
def test_what_is_not_understood_is_named(provider: Provider, body: object, names: str) -> None:
    answer = provider.tell(body)
    assert answer.status_code == 400
    assert names in answer.json()["detail"]


def test_events_of_unknown_letters_are_answered_with_yes(provider: Provider) -> None:
    told = {"events": [{"type": "delivered", "message_id": "<4711@other.example>"}]}
    assert provider.tell(told).json() == {"taken": {"unknown_letter": 1}}


def test_without_a_secret_there_is_no_such_route(settings: Settings) -> None:
    runtime = build_runtime(settings.model_copy(update={"base_url": "http://testserver"}))
    with TestClient(create_app(runtime)) as client:
        assert client.post("/webhooks/mail", content=b"{}").status_code == 404
    runtime.close()
