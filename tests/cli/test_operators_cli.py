"""`nudgepay operators`: added with a password from standard input, listed, given another role, disabled."""

import json

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.access import passwords
from nudgepay.access.factors import factors_of
from nudgepay.access.operators import LastSuperadmin, operator_by_email
from nudgepay.cli.main import app
from nudgepay.cli.processes import _ensure_first_operator
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.runtime import build_runtime

PASSWORD = "a long enough password"
BOSS, OLGA = "boss@desk.example", "olga@desk.example"


SEED = "JBSWY3DPEHPK3PXP"
pytestmark = pytest.mark.usefixtures("quick_hashes")


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
        assert passwords.is_password(PASSWORD, operator_by_email(session, OLGA).password_hash)
    command("operators", "role", OLGA, "manager")
    assert [(one["email"], one["role"]) for one in json.loads(command("operators", "list", "--json"))] == [
        (BOSS, "superadmin"),
        (OLGA, "manager"),
    ]
    command("operators", "disable", OLGA)
    with db.transaction() as session:
        assert operator_by_email(session, OLGA).disabled_at is not None
    with pytest.raises(LastSuperadmin):
        command("operators", "disable", BOSS)


def test_a_role_that_there_is_not_is_refused_before_a_password_is_asked_for(command: Command) -> None:
    with pytest.raises(UsageError, match="viewer, auditor, operator, manager, superadmin"):
        command("operators", "add", OLGA, "--role", "king")


def test_the_operator_of_the_settings_is_made_at_the_first_start_only(
    db: Database, settings: Settings, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for email, password in ((None, None), (BOSS, PASSWORD), (OLGA, PASSWORD)):
        hashed = SecretStr(passwords.hash_for_settings(password)) if password else None
        update = {"admin_email": email, "admin_password_hash": hashed, "admin_totp_secret": SecretStr(SEED)}
        runtime = build_runtime(settings.model_copy(update=update))
        _ensure_first_operator(runtime)
        runtime.close()
    assert "nudgepay operators add" in capsys.readouterr().err
    assert [one["email"] for one in json.loads(command("operators", "list", "--json"))] == [BOSS]
    with db.transaction() as session:
        boss = operator_by_email(session, BOSS)
        assert passwords.is_password(PASSWORD, boss.password_hash)
        assert factors_of(session, boss.id) == ["totp"]
    assert "by password alone" in command("operators", "reset-totp", BOSS)
    with db.transaction() as session:
        assert factors_of(session, boss.id) == []
    assert "had no second factor" in command("operators", "reset-totp", BOSS)
