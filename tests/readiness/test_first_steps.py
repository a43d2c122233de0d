"""From nothing to a configuration that production accepts; and what is there already stays as it is."""

import json
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import bcrypt
import pytest

from nudgepay.config import Settings
from nudgepay.errors import NudgePayError, Refused, UsageError
from nudgepay.readiness.first_steps import Answers, read_environment, take_first_steps

ANSWERS = Answers(
    base_url="https://pay.example.com",
    business_name='Müller & Söhne "Bau" $HOME',
    from_email="billing@atelier.example",
    admin_email="me@atelier.example",
    database_url="postgresql://np:it's@db.example/np?sslmode=verify-full",
    smtp_host="relay.example",
    smtp_username="np",
    smtp_password="relay's password",
    timezone="Europe/Berlin",
    country="DE",
    locale="de-AT",
)
PASSWORD = "correct horse battery staple"
COMMAND = Path("/opt/nudgepay/bin/nudgepay")


def steps(directory: Path, answers: Answers = ANSWERS, password: str = PASSWORD) -> dict[str, bool]:
    found = take_first_steps(directory, answers, password=password, command=COMMAND)
    return {step.path.name: step.is_new for step in found}


def test_production_accepts_what_was_written(tmp_path: Path) -> None:
    steps(tmp_path / "np")
    environment = read_environment(tmp_path / "np")
    settings = Settings.load(environment).ensure_valid()
    assert settings.environment == "production"
    assert settings.business_name == ANSWERS.business_name
    assert settings.secret("database_url") == ANSWERS.database_url
    assert settings.secret("smtp_password") == ANSWERS.smtp_password
    hashed = settings.secret("admin_password_hash") or ""
    assert bcrypt.checkpw(PASSWORD.encode(), hashed.encode())
    assert settings.admin_email == "me@atelier.example"


@pytest.mark.parametrize("name", [ANSWERS.business_name, "O'Neill & Sons"])
def test_a_shell_reads_the_same_environment(tmp_path: Path, name: str) -> None:
    steps(tmp_path / "np", replace(ANSWERS, business_name=name))
    script = f"set -a; . {tmp_path}/np/nudgepay.env; set +a; env -0"
    done = subprocess.run(["sh", "-c", script], capture_output=True, env={"HOME": "/root"}, check=True)
    shell = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if "=" in pair)
    written = read_environment(tmp_path / "np")
    assert {name: shell[name] for name in written} == written


def test_nobody_else_may_read_a_secret_or_find_it_in_the_environment_file(tmp_path: Path) -> None:
    steps(tmp_path / "np")
    for path in (tmp_path / "np" / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() not in (tmp_path / "np" / "nudgepay.env").read_text()
    assert stat.S_IMODE((tmp_path / "np" / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "np" / "nudgepay.env").stat().st_mode) == 0o600


def test_taken_twice_nothing_changes_and_what_is_missing_is_added(tmp_path: Path) -> None:
    steps(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "secrets" / "csrf_secret").unlink()
    again = steps(tmp_path, replace(ANSWERS, business_name="Another"), "another password altogether")
    assert [name for name, is_new in again.items() if is_new] == ["csrf_secret"]
    after = {path: path.read_bytes() for path in before}
    assert {path.name for path in before if before[path] != after[path]} == {"csrf_secret"}


@pytest.mark.parametrize(
    ("answers", "password", "said"),
    [
        (ANSWERS, "short", "shorter than 12"),
        (ANSWERS, "ü" * 40, "longer than 72 bytes"),
        (replace(ANSWERS, business_name="O'Neill for $5"), PASSWORD, "business_name"),
        (replace(ANSWERS, base_url="https://x\nEVIL=1"), PASSWORD, "base_url"),
        (replace(ANSWERS, from_email="nobody"), PASSWORD, "from_email"),
        (replace(ANSWERS, timezone="Mars/Olympus"), PASSWORD, "timezone"),
        (replace(ANSWERS, country="XX"), PASSWORD, "country"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_written(
    tmp_path: Path, answers: Answers, password: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        steps(tmp_path / "np", answers, password)
    assert not (tmp_path / "np").exists()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="choose another"):
        steps(tmp_path / "file" / "np")
    assert issubclass(Refused, NudgePayError)


def test_the_units_are_sound(tmp_path: Path) -> None:
    take_first_steps(tmp_path, ANSWERS, password=PASSWORD, command=Path("/bin/true"))
    units = sorted(tmp_path.glob("*.service"))
    assert [unit.name for unit in units] == ["nudgepay-web.service", "nudgepay-worker.service"]
    assert "ExecStart=/bin/true worker" in units[1].read_text()
    if (judge := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run([judge, "verify", *map(str, units)], capture_output=True, text=True, check=False)
        own = [line for line in done.stderr.splitlines() if "nudgepay" in line and "User" not in line]
        assert own == []


def test_the_command_asks_for_what_is_missing_and_prints_one_document(tmp_path: Path) -> None:
    import sys

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nudgepay.cli", "init", "--directory", str(tmp_path / "np"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, input=PASSWORD + "\n", check=False)

    missing = run("--json")
    assert (missing.returncode, "--base-url is missing" in missing.stderr) == (2, True)
    done = run(
        "--base-url=https://pay.example.com",
        "--business=Atelier Nord",
        "--from-email=billing@atelier.example",
        "--admin-email=me@atelier.example",
        "--database-url=postgresql://np@127.0.0.1/np",
        "--smtp-host=relay.example",
        "--password-stdin",
        "--json",
    )
    document = json.loads(done.stdout)
    assert document["problems"] == []
    assert document["password"] is None
    assert PASSWORD not in done.stdout + done.stderr
