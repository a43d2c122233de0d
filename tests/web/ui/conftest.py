"""The operators' pages, asked through the application's own interface by a signed-in operator."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.desk import Desk


@pytest.fixture
def desk(runtime: Runtime) -> Iterator[Desk]:
    """A superadmin's."""
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        yield Desk(client, runtime)
