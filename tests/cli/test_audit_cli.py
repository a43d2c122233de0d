"""`nudgepay audit`: seal, checkpoint, verify, with exit codes and documents that scripts can rely on."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from audit.chain import act
from audit.owner import tamper
from nudgepay.config import Settings
from nudgepay.db import Database


def test_sealed_verified_tampered_with_and_named(db: Database, settings: Settings, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    given = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": db.url,
        "NUDGEPAY_HOME": str(settings.nudgepay_home),
        "AUDIT_SIGNING_KEY": base64.b64encode(b"k" * 32).decode(),
        "AUDIT_ANCHOR_DIR": str(anchors),
    }

    def run(*arguments: str, code: int = 0, **more: str) -> str:
        command = [sys.executable, "-m", "nudgepay.cli", "audit", *arguments]
        done = subprocess.run(command, env=given | more, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert base64.b64encode(b"k" * 32).decode() not in done.stdout + done.stderr
        return done.stdout if done.stdout else done.stderr

    act(db, 3)
    assert "no checkpoint yet" in run("checkpoint", code=2)
    assert json.loads(run("seal", "--json"))["sealed"] == 3
    kept = tmp_path / "kept.json"
    kept.write_text(run("checkpoint"))
    found = json.loads(run("verify", "--json", "--checkpoint", str(kept)))
    assert (found["ok"], found["first_bad"], found["checked"], found["checkpoint"]["seq"]) == (True, None, 3, 3)
    assert found["signatures"] == 1 + 2
    assert "3 records are whole" in run("verify")
    assert len(list(anchors.iterdir())) == 1
    tamper(db, "UPDATE audit_events SET subject = 'x:0' WHERE id = 2")
    broken = json.loads(run("verify", "--json", code=1))
    assert (broken["ok"], broken["first_bad"]["id"], broken["checked"]) == (False, 2, 1)
    assert "BROKEN at record 2 (edited)" in run("verify", code=1)
    kept.write_text("{}")
    assert "is no checkpoint" in run("verify", "--checkpoint", str(kept), code=2)
    assert "AUDIT_SIGNING_KEY" in run("verify", code=2, AUDIT_SIGNING_KEY="short")
