"""The command line, run in this process on the test's own database."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from nudgepay.cli.main import app
from nudgepay.config import Settings
from nudgepay.errors import NudgePayError

Command = Callable[..., Any]


@pytest.fixture
def command(settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("NUDGEPAY_HOME", str(settings.nudgepay_home))

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, NudgePayError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    handlers = logging.root.handlers
    yield run
    logging.root.handlers = handlers
