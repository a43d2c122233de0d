"""The configuration policy: one good production configuration, and every single defect named by its key."""

from pathlib import Path

import pytest

from nudgepay.config import Settings, SettingsValidationError
from nudgepay.managed_secrets.refs import resolver

CANARY = "canary-7f3e9b1c5d-never-shown"
HASH = "$2b$12$" + "a" * 53
KEYS = ("SESSION_SECRET", "CSRF_SECRET", "CRON_HMAC_SECRET", "SERVICE_TOKEN_PEPPER")


def good(tmp_path: Path) -> dict[str, str]:
    """A production configuration without a fault."""
    secrets = {name: f"{name.lower()}-{number}-qwertzuiopasdfghjklyxcvbnm" for number, name in enumerate(KEYS)}
    secrets |= {
        "DATABASE_URL": "postgresql://np:pw@db.internal/np?sslmode=verify-full",
        "ADMIN_PASSWORD_HASH": HASH,
        "STRIPE_SECRET_KEY": "sk_live_51abcdefghijklmnop",
        "STRIPE_WEBHOOK_SECRET": "whsec_abcdefghijklmnopqrstuvwxyz",
        "SMTP_PASSWORD": "relay-password-of-some-length",
    }
    for word in KEYS:
        secrets[word] = secrets[word].replace("secret", "s3cr3t")
    environ = {
        "ENVIRONMENT": "production",
        "BASE_URL": "https://pay.example.com",
        "MAIL_TRANSPORT": "smtp",
        "SMTP_HOST": "relay.example.com",
        "FROM_EMAIL": "billing@example.com",
    }
    for name, value in secrets.items():
        file = tmp_path / name.lower()
        file.write_text(value + "\n")
        file.chmod(0o600)
        environ[f"{name}_FILE"] = str(file)
    return environ


def problems(environ: dict[str, str], **options: object) -> list[str]:
    try:
        Settings.load(environ).ensure_valid(**options)
    except SettingsValidationError as error:
        assert CANARY not in str(error)
        return [problem.setting for problem in error.problems]
    return []


def test_settings_loads_secret_from_file(tmp_path: Path) -> None:
    file = tmp_path / "session"
    file.write_text("from-the-file\n")
    loaded = Settings.load({"SESSION_SECRET": "from-the-environment", "SESSION_SECRET_FILE": str(file)})
    assert loaded.secret("session_secret") == "from-the-file"
    assert "session_secret" not in loaded.plain_secrets


def test_settings_validation_captures_errors(tmp_path: Path) -> None:
    environ = good(tmp_path) | {
        "BASE_URL": "http://pay.example.com",
        "SESSION_HTTPS_ONLY": "false",
        "SESSION_COOKIE_SAME_SITE": "none",
        "LOGIN_RATE_LIMIT_ATTEMPTS": "1000",
    }
    del environ["DATABASE_URL_FILE"], environ["ADMIN_PASSWORD_HASH_FILE"], environ["SESSION_SECRET_FILE"]
    environ |= {"DATABASE_URL": "sqlite:///x", "ADMIN_PASSWORD_HASH": "plain", "SESSION_SECRET": "changeme"}
    found = problems(environ)
    assert {
        "BASE_URL",
        "SESSION_HTTPS_ONLY",
        "SESSION_COOKIE_SAME_SITE",
        "LOGIN_RATE_LIMIT_ATTEMPTS",
        "DATABASE_URL",
        "ADMIN_PASSWORD_HASH",
        "SESSION_SECRET",
    } <= set(found)


def test_the_good_configuration_passes(tmp_path: Path) -> None:
    assert problems(good(tmp_path)) == []


def rewrite(name: str, value: str, mode: int = 0o600):
    def change(environ: dict[str, str]) -> None:
        file = Path(environ[f"{name}_FILE"])
        file.write_text(value)
        file.chmod(mode)

    return change


def put(name: str, value: str):
    return lambda environ: environ.update({name: value})


def drop(name: str):
    return lambda environ: environ.pop(name)


def plain(name: str, value: str):
    def change(environ: dict[str, str]) -> None:
        del environ[f"{name}_FILE"]
        environ[name] = value

    return change


DEFECTS = [
    ("BASE_URL", put("BASE_URL", "http://pay.example.com")),
    ("BASE_URL", put("BASE_URL", "https://zählen.example.com")),
    ("BASE_URL", put("BASE_URL", "https://someone@pay.example.com")),
    ("BASE_URL", put("BASE_URL", "pay.example.com")),
    ("BASE_URL", put("BASE_URL", "https://[pay.example.com")),
    ("SESSION_HTTPS_ONLY", put("SESSION_HTTPS_ONLY", "false")),
    ("SESSION_COOKIE_SAME_SITE", put("SESSION_COOKIE_SAME_SITE", "none")),
    ("LOGIN_RATE_LIMIT_ATTEMPTS", put("LOGIN_RATE_LIMIT_ATTEMPTS", "0")),
    ("LOGIN_RATE_LIMIT_ATTEMPTS", put("LOGIN_RATE_LIMIT_ATTEMPTS", "500")),
    ("LOGIN_RATE_LIMIT_WINDOW_SECONDS", put("LOGIN_RATE_LIMIT_WINDOW_SECONDS", "1")),
    ("LOGIN_RATE_LIMIT_BLOCK_SECONDS", put("LOGIN_RATE_LIMIT_BLOCK_SECONDS", "0")),
    ("MAIL_TRANSPORT", put("MAIL_TRANSPORT", "outbox")),
    ("SMTP_HOST", drop("SMTP_HOST")),
    ("SMTP_RECEIPTS", put("SMTP_RECEIPTS", "sendmail:/var/log/mail.log")),
    ("SMTP_RECEIPTS", put("SMTP_RECEIPTS", "postfix:")),
    ("DKIM_SELECTOR", put("DKIM_DOMAIN", "example.com")),
    ("DKIM_DOMAIN", put("DKIM_DOMAIN", "elsewhere.example")),
    ("DKIM_SELECTOR", put("DKIM_SELECTOR", "np 1")),
    ("DKIM_KEY_FILE", put("DKIM_KEY_FILE", "/nowhere/at/all")),
    ("SMTP_SECURITY", put("SMTP_SECURITY", "none")),
    ("BUSINESS_TIMEZONE", put("BUSINESS_TIMEZONE", "Mars/Olympus")),
    ("SENDING_HOURS", put("SENDING_HOURS", "17:00-09:00")),
    ("DIGEST_AT", put("DIGEST_AT", "25:00")),
    ("DIGEST_RECIPIENTS", put("DIGEST_RECIPIENTS", "me@example.com, Owner <o@example.com>")),
    ("COPY_LETTERS_TO", put("COPY_LETTERS_TO", "nobody")),
    ("ADMIN_EMAIL", put("ADMIN_EMAIL", "me@")),
    ("SMTP_IDEMPOTENCY_HEADER", put("SMTP_IDEMPOTENCY_HEADER", "X Key")),
    ("SMTP_PORT", put("SMTP_PORT", "abc")),
    ("ENVIRONMENT", put("ENVIRONMENT", "prod")),
    ("DATABASE_URL", drop("DATABASE_URL_FILE")),
    ("DATABASE_URL", rewrite("DATABASE_URL", "sqlite:///var/np.db")),
    ("DATABASE_URL", rewrite("DATABASE_URL", "mysql://np@db/np")),
    ("DATABASE_URL", rewrite("DATABASE_URL", "postgresql://np@db.internal/np")),
    ("DATABASE_URL", plain("DATABASE_URL", "postgresql://np@db.internal/np?sslmode=verify-full")),
    ("SESSION_SECRET", drop("SESSION_SECRET_FILE")),
    ("SESSION_SECRET", rewrite("SESSION_SECRET", "short")),
    ("SESSION_SECRET", rewrite("SESSION_SECRET", "a" * 64)),
    ("SESSION_SECRET", rewrite("SESSION_SECRET", "changeme-changeme-changeme-0123456789")),
    ("SESSION_SECRET", plain("SESSION_SECRET", CANARY + "-0123456789abcdef")),
    ("SESSION_SECRET_FILE", rewrite("SESSION_SECRET", "x" * 40, mode=0o644)),
    ("SESSION_SECRET_FILE", put("SESSION_SECRET_FILE", "/nowhere/at/all")),
    ("SESSION_SECRET_FILE", rewrite("SESSION_SECRET", "")),
    ("CSRF_SECRET", drop("CSRF_SECRET_FILE")),
    ("CRON_HMAC_SECRET", drop("CRON_HMAC_SECRET_FILE")),
    ("SERVICE_TOKEN_PEPPER", drop("SERVICE_TOKEN_PEPPER_FILE")),
    ("ADMIN_PASSWORD_HASH", rewrite("ADMIN_PASSWORD_HASH", "$2b$04$" + "a" * 53)),
    ("ADMIN_PASSWORD_HASH", rewrite("ADMIN_PASSWORD_HASH", "hunter2")),
    ("STRIPE_SECRET_KEY", rewrite("STRIPE_SECRET_KEY", "sk_test_51abcdefghijklmnop")),
    ("STRIPE_SECRET_KEY", plain("STRIPE_SECRET_KEY", f"sk_live_{CANARY}")),
    ("STRIPE_WEBHOOK_SECRET", drop("STRIPE_WEBHOOK_SECRET_FILE")),
    ("STRIPE_WEBHOOK_SECRET", rewrite("STRIPE_WEBHOOK_SECRET", "whsec_a,,whsec_b")),
    ("SMTP_PASSWORD", plain("SMTP_PASSWORD", CANARY)),
    ("CSRF_SECRET_REF", put("CSRF_SECRET_REF", "ftp://x")),
    ("SMTP_PASSWORD_REF", put("SMTP_PASSWORD_REF", "env://SMTP")),
]


@pytest.mark.parametrize(("key", "defect"), DEFECTS, ids=[f"{n}-{key}" for n, (key, _) in enumerate(DEFECTS)])
def test_each_single_defect_is_named_by_its_key(tmp_path: Path, key: str, defect) -> None:
    environ = good(tmp_path)
    if key.endswith("_REF"):
        environ.pop(key.replace("_REF", "_FILE"))
    defect(environ)
    found = problems(environ)
    assert key in found, found


def test_a_given_mapping_is_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUSINESS_NAME", "from the process")
    monkeypatch.setenv("DATABASE_URL", "postgresql://np@db.internal/np")
    assert Settings.load({}).secret("database_url") is None
    assert Settings.load({}).business_name != "from the process"
    assert Settings.load().business_name == Settings().business_name == "from the process"


def test_the_same_secret_for_two_roles_is_refused(tmp_path: Path) -> None:
    environ = good(tmp_path)
    environ["CSRF_SECRET_FILE"] = environ["SESSION_SECRET_FILE"]
    assert problems(environ) == ["CSRF_SECRET"]


def test_references_are_resolved_or_refused(tmp_path: Path) -> None:
    environ = {"ENVIRONMENT": "test", "SESSION_SECRET_REF": "env://THE_SECRET"}
    assert problems(environ) == ["SESSION_SECRET_REF"]
    found = Settings.load(environ).ensure_valid(resolve=resolver({"THE_SECRET": "v" * 40}))
    assert found.secret("session_secret") == "v" * 40
    assert problems(environ, resolve=resolver({})) == ["SESSION_SECRET_REF"]
    assert problems({"SESSION_SECRET_REF": "vault://a/b"}, resolve=resolver({})) == ["SESSION_SECRET_REF"]


def test_a_file_and_a_reference_for_one_secret_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("y")
    both = {"SESSION_SECRET_REF": "env://X", "SESSION_SECRET_FILE": str(file)}
    assert problems(both) == ["SESSION_SECRET"]


def test_development_needs_nothing() -> None:
    assert problems({"ENVIRONMENT": "development"}) == []
