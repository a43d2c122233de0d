"""A runtime for tests of structure."""

from collections.abc import Iterator

import pytest

from nudgepay.config import Settings
from nudgepay.runtime import Runtime, build_runtime


@pytest.fixture
def runtime_of(settings: Settings) -> Iterator[Runtime]:
    made = build_runtime(settings)
    yield made
    made.close()
