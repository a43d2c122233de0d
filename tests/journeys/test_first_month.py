"""The handbook's first month, followed command by command on an empty database, as production."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from journeys.warm import warm_command
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "docs" / "first-month.md"
INVOICES = """client_name,client_email,client_locale,client_timezone,client_country,invoice_number,issued_on,due_on,currency,amount
Bäckerei Lindner,klara@lindner.example,de,Europe/Berlin,DE,2026-101,2026-01-05,2026-02-01,EUR,1200.00
Bäckerei Lindner,klara@lindner.example,de,Europe/Berlin,DE,2026-140,2026-02-10,2099-11-25,EUR,310.50
"""
STATEMENT = (
    "booked_on,amount,currency,counterparty,purpose\n2026-11-20,1200.00,EUR,Bäckerei Lindner,Rechnung 2026-101\n"
)
MAY_FAIL = {"nudgepay doctor": 1}
"""No worker runs in this test, and the doctor says so."""


def commands() -> list[str]:
    """Every command of the handbook, in order; lines that end in a backslash go on."""
    blocks = re.findall(r"```sh\n(.*?)```", HANDBOOK.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


@pytest.fixture
def empty_url(server_url: str, worker_id: str) -> str:
    """A database without any table."""
    name = f"first_month_{worker_id}_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    from conftest import _replace_path

    return _replace_path(server_url, name)


@pytest.mark.timeout(300)
def test_the_first_month_can_be_followed_step_by_step(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "invoices.csv").write_text(INVOICES)
    (tmp_path / "statement.csv").write_text(STATEMENT)
    (tmp_path / "2026-140.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    with SmtpSink(tmp_path / "journal.jsonl") as sink, warm_command(tmp_path) as bin_:
        given = {
            "postgresql://nudgepay@db.example/nudgepay?sslmode=verify-full": empty_url,
            "relay.example": f"127.0.0.1 --smtp-port {sink.port} --smtp-security none --password-stdin",
        }
        script = ["set -u"]
        for number, command in enumerate(commands()):
            for old, new in given.items():
                command = command.replace(old, new)
            allowed = next((code for start, code in MAY_FAIL.items() if command.startswith(start)), 0)
            script.append(f"echo 'correct horse battery' > in; {command} < in > out.{number} 2>&1; code=$?")
            said = shlex.quote(f"{command}: ")
            script.append(f"if [ $code -gt {allowed} ]; then echo {said} $code; cat out.{number}; exit 1; fi")
        home = {
            "PATH": f"{bin_}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "DNS_SERVERS": "127.0.0.1:9",
        }
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=tmp_path, env=home, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = {command: (tmp_path / f"out.{number}").read_text() for number, command in enumerate(commands())}
    assert "The configuration is valid" in said["nudgepay config check"]
    assert "sending" in said["nudgepay doctor"]
    assert "1 are overdue already and wait for you" in said["nudgepay import invoices.csv"]
    assert list((tmp_path / "letters").glob("*.eml")), "the drill's letters can be read"
    assert list(tmp_path.glob("evidence-2026-101.zip"))
    db = Database(empty_url)
    with db.transaction() as session:
        paid = session.scalar(text("SELECT status FROM invoices WHERE number = '2026-140'"))
        released = session.scalar(text("SELECT amnesty_at FROM invoices WHERE number = '2026-101'"))
        waiting = session.scalar(text("SELECT count(*) FROM bank_lines WHERE state = 'waiting'"))
    db.close()
    assert (paid, released, waiting) == ("paid", None, 1)
