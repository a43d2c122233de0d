"""`nudgepay operators`: added with a password from standard input, listed, given another role, disabled."""

import json

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.access import passwords
from nudgepay.access.operators import LastSuperadmin, operator_with_password
from nudgepay.cli.main import app
from nudgepay.cli.processes import _ensure_first_operator
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.runtime import build_runtime

PASSWORD = "a long enough password"
BOSS, OLGA = "boss@desk.example", "olga@desk.example"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 4)


def _add(command: Command, email: str, role: str) -> None:
    added = CliRunner().invoke(
        app, ["operators", "add", email, "--role", role, "--password-stdin"], input=f"{PASSWORD}\n"
    )
    assert added.exit_code == 0, added.output
    assert PASSWORD not in added.output


def test_operators_are_added_listed_changed_and_disabled(db: Database, command: Command) -> None:
    _add(command, BOSS, "superadmin")
    _add(command, OLGA, "viewer")
    with db.transaction() as session:
        assert operator_with_password(session, OLGA, PASSWORD) is not None
    command("operators", "role", OLGA, "manager")
    assert [(one["email"], one["role"]) for one in json.loads(command("operators", "list", "--json"))] == [
        (BOSS, "superadmin"),
        (OLGA, "manager"),
    ]
    command("operators", "disable", OLGA)
    with db.transaction() as session:
        assert operator_with_password(session, OLGA, PASSWORD) is None
    with pytest.raises(LastSuperadmin):
        command("operators", "disable", BOSS)


def test_a_role_that_there_is_not_is_refused_before_a_password_is_asked_for(command: Command) -> None:
    with pytest.raises(UsageError, match="viewer, auditor, operator, manager, superadmin"):
        command("operators", "add", OLGA, "--role", "king")


def test_the_operator_of_the_settings_is_made_at_the_first_start_only(
    db: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for email, password in ((None, None), (BOSS, PASSWORD), (OLGA, PASSWORD)):
        hashed = SecretStr(passwords.hash_password(password)) if password else None
        given = settings.model_copy(update={"admin_email": email, "admin_password_hash": hashed})
        runtime = build_runtime(given)
        _ensure_first_operator(runtime)
        runtime.close()
    assert "nudgepay operators add" in capsys.readouterr().err
    with db.transaction() as session:
        assert operator_with_password(session, BOSS, PASSWORD) is not None
        assert operator_with_password(session, OLGA, PASSWORD) is None
