"""First steps for real use: strong secrets as files, an environment file, systemd units, the first operator's hash.

Nothing that is there already is touched, so the steps may be taken again.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nudgepay.access.passwords import hash_for_settings
from nudgepay.errors import Refused, UsageError
from nudgepay.invoices.validation import clean_country, clean_email, clean_locale, clean_timezone

KEYS = ("session_secret", "csrf_secret", "cron_hmac_secret", "service_token_pepper")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person says about their installation. `database_url`, `smtp_password` are secrets, for files."""

    base_url: str
    business_name: str
    from_email: str
    admin_email: str
    database_url: str
    smtp_host: str
    timezone: str
    country: str
    locale: str
    environment: str = "production"
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_username: str | None = None
    smtp_password: str | None = None
    iban: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One file: written now, or kept as it was."""

    path: Path
    is_new: bool


def take_first_steps(directory: Path, answers: Answers, *, password: str, command: Path) -> list[Step]:
    """Write what is missing below `directory`; returns every file. Raises UsageError and Refused.

    `command` is the `nudgepay` that the units start. Directories get mode 0700, files with secrets 0600.
    """
    _ensure_sound(answers)
    keys = {name: secrets.token_urlsafe(48) for name in KEYS} | {"audit_signing_key": secrets.token_urlsafe(32)}
    hashed = hash_for_settings(password)
    given = {"database_url": answers.database_url, "smtp_password": answers.smtp_password}
    contents = keys | {"admin_password_hash": hashed} | {name: value for name, value in given.items() if value}
    directory = directory.resolve()
    vault = directory / "secrets"
    _ensure_directory(directory)
    _ensure_directory(vault)
    steps = [_write(vault / name, f"{value}\n", mode=0o600) for name, value in contents.items()]
    environment = _environment(answers, {name: vault / name for name in contents})
    steps.append(_write(directory / "nudgepay.env", _env_file(environment), mode=0o600))
    for name, arguments in (("web", "serve"), ("worker", "worker")):
        unit = _unit(name, f"{command} {arguments}", directory)
        steps.append(_write(directory / f"nudgepay-{name}.service", unit, mode=0o644))
    return steps


def read_environment(directory: Path) -> dict[str, str]:
    """The variables of a written environment file."""
    found = {}
    for line in (directory / "nudgepay.env").read_text().splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found[name] = value[1:-1]
    return found


def _ensure_sound(answers: Answers) -> None:
    clean_email(answers.from_email, "from_email")
    clean_email(answers.admin_email, "admin_email")
    clean_timezone(answers.timezone)
    clean_country(answers.country)
    clean_locale(answers.locale)
    for name in Answers.__slots__:
        value = str(getattr(answers, name) or "")
        if name not in {"database_url", "smtp_password"} and _quoted(value) is None:
            raise UsageError(f"{name}: holds a line break, or quotes of both kinds: no environment file can carry it")


def _ensure_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{path} cannot be made ({type(error).__name__}): choose another --directory") from error


def _write(path: Path, content: str, *, mode: int) -> Step:
    """Create the file with its mode from its first byte on; one that is there stays."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return Step(path, is_new=False)
    except OSError as error:
        raise Refused(f"{path} cannot be written ({type(error).__name__}): choose another --directory") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    return Step(path, is_new=True)


def _environment(answers: Answers, files: Mapping[str, Path]) -> dict[str, str]:
    values = {
        "ENVIRONMENT": answers.environment,
        "BASE_URL": answers.base_url,
        "BUSINESS_NAME": answers.business_name,
        "BUSINESS_TIMEZONE": answers.timezone,
        "BUSINESS_COUNTRY": answers.country,
        "BUSINESS_LOCALE": answers.locale,
        "BUSINESS_IBAN": answers.iban or "",
        "FROM_EMAIL": answers.from_email,
        "ADMIN_EMAIL": answers.admin_email,
        "MAIL_TRANSPORT": "smtp",
        "SMTP_HOST": answers.smtp_host,
        "SMTP_PORT": str(answers.smtp_port),
        "SMTP_SECURITY": answers.smtp_security,
        "SMTP_USERNAME": answers.smtp_username or "",
        "COPY_FIRST_LETTERS": "20",
        "NUDGEPAY_HOME": "/var/lib/nudgepay",
    }
    values |= {f"{name.upper()}_FILE": str(path) for name, path in files.items()}
    return {name: value for name, value in values.items() if value}


def _env_file(environment: Mapping[str, str]) -> str:
    lines = [f"{name}={_quoted(value)}" for name, value in environment.items()]
    head = "# NudgePay. For a shell: set -a; . ./nudgepay.env; set +a. Every setting: docs/settings.md"
    return "\n".join([head, *lines, ""])


def _quoted(value: str) -> str | None:
    """The value as a shell and systemd read it alike; None when there is no such form (systemd.exec(5))."""
    if any(sign in value for sign in "\n\r\x00"):
        return None
    if "'" not in value:
        return f"'{value}'"
    return None if any(sign in value for sign in '"$`\\') else f'"{value}"'


def _unit(name: str, command: str, directory: Path) -> str:
    return f"""[Unit]
Description=NudgePay {name}
After=network-online.target postgresql.service
Wants=network-online.target

[Service]
EnvironmentFile={directory / "nudgepay.env"}
ExecStart={command}
User=nudgepay
StateDirectory=nudgepay
Restart=always
RestartSec=5
TimeoutStopSec=30
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"""
