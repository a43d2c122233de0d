"""The application itself, asked over its own interface."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from nudgepay.config import Settings
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.app import create_app

SECRET = "whsec_" + "k" * 32
CRON = "cron-" + "s" * 40


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    given = settings.model_copy(
        update={
            "stripe_webhook_secret": SecretStr(f"whsec_old{'x' * 30},{SECRET}"),
            "cron_hmac_secret": SecretStr(CRON),
            "base_url": "http://testserver",
        }
    )
    made = build_runtime(given)
    yield made
    made.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), follow_redirects=False) as asking:
        yield asking
