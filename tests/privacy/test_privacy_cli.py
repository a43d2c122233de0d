"""The commands, on a real database."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nudgepay.cli.main import app
from nudgepay.runtime import Runtime
from privacy.canary import ADDRESS, a_client, leave_traces


def test_export_preview_erase_and_replay(books: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with books.db.transaction() as session:
        client_id = a_client(session)
        leave_traces(session, client_id)
    monkeypatch.setenv("DATABASE_URL", books.db.url)
    monkeypatch.setenv("NUDGEPAY_HOME", str(tmp_path))
    run = CliRunner().invoke
    file = tmp_path / "person.json"
    assert run(app, ["privacy", "export", ADDRESS, "--out", str(file)]).exit_code == 0
    assert json.loads(file.read_text())["data"]["contacts"][0]["email"] == ADDRESS
    assert file.stat().st_mode & 0o077 == 0
    who = ["privacy", "erase", "--client", str(client_id), "--silence-open-invoices", "--json"]
    seen = json.loads(run(app, who).stdout)
    assert (seen["done"], seen["erasure"]) == (False, None)
    assert {one["table"] for one in seen["stays"]} >= {"bank_lines", "invoice_documents"}
    done = json.loads(run(app, [*who, "--yes"]).stdout)
    assert done["erasure"] is not None
    assert json.loads(run(app, [*who, "--yes"]).stdout)["erasure"] is None
    replayed = json.loads(run(app, ["privacy", "replay", "--json"]).stdout)
    assert replayed["standing"] == [done["erasure"]]
    assert run(app, ["privacy", "expire", "--dry-run"]).exit_code == 0
    nobody = run(app, ["privacy", "erase", ADDRESS])
    assert nobody.exit_code != 0
