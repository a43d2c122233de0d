"""Ready means that the work can be done and is being done; alive means only that somebody answers."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay.db import Database
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app


def change(runtime: Runtime, statement: str) -> None:
    with runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text(statement))


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
def test_an_event_that_waits_too_long_makes_it_not_ready(client: TestClient, runtime: Runtime, path: str) -> None:
    assert client.get(path).status_code == 200
    insert = "INSERT INTO stripe_events (event_id, type, payload, received_at) VALUES ('evt_1', 'x', '{}', now() - interval "
    change(runtime, insert + "'14 minutes')")
    assert client.get(path).status_code == 200
    change(runtime, "UPDATE stripe_events SET received_at = now() - interval '16 minutes'")
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["stripe_events: waiting for more than 15 minutes; is a worker running?"]
    assert client.get("/livez").status_code == 200


def test_a_schema_of_another_release_makes_it_not_ready(client: TestClient, runtime: Runtime) -> None:
    change(runtime, "UPDATE alembic_version SET version_num = '9000'")
    assert client.get("/readyz").status_code == 200, "a newer schema that still serves this code"
    change(runtime, "UPDATE schema_state SET oldest_code = '9000'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"][0][:26]) == (503, "the schema is at 9000, too")


def test_without_its_database_it_is_alive_and_not_ready(runtime: Runtime) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    with TestClient(create_app(replace(runtime, db=nowhere))) as asking:
        assert asking.get("/livez").status_code == 200
        assert (asking.get("/readyz").status_code, asking.get("/readyz").json()["reasons"]) == (
            503,
            ["database unavailable"],
        )
    nowhere.close()
