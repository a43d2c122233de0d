"""Where a setting's value comes from: a file, a managed reference, the environment, `.env` in development."""

import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from nudgepay.config.problems import SettingProblem
from nudgepay.errors import NudgePayError

SECRETS: tuple[str, ...] = (
    "database_url",
    "redis_url",
    "session_secret",
    "csrf_secret",
    "cron_hmac_secret",
    "service_token_pepper",
    "admin_password_hash",
    "admin_credentials",
    "admin_totp_secret",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "smtp_password",
    "bounce_mailbox",
    "mail_webhook_secret",
    "audit_signing_key",
)
"""Attributes that may come from a file or a managed reference."""

REFERENCE_SCHEMES = ("aws-secrets://", "vault://", "gcp-sm://", "env://")
MAX_SECRET_BYTES = 64 * 1024


class EnvironmentSource(PydanticBaseSettingsSource):
    """Feeds `Settings()` from an environment mapping."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        """`environ` is read once, when the settings are made."""
        super().__init__(settings_cls)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the library's interface; the work is done in one go below."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every value that the environment names."""
        return read(self._environ, self.settings_cls.model_fields)


def read(environ: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Values by attribute name, with references, plain secrets and reading problems beside them."""
    merged = _with_dotenv(environ)
    values: dict[str, Any] = {}
    references: dict[str, str] = {}
    plain: set[str] = set()
    problems: list[SettingProblem] = []
    internal = {"references", "plain_secrets", "source_problems"}
    for name in fields.keys() - internal - set(SECRETS):
        if (value := merged.get(name.upper())) is not None and value != "":
            values[name] = value
    for name in SECRETS:
        _read_secret(name, merged, values, references=references, plain=plain, problems=problems)
    values["references"] = references
    values["plain_secrets"] = frozenset(plain)
    values["source_problems"] = tuple(problems)
    return values


def _with_dotenv(environ: Mapping[str, str]) -> dict[str, str]:
    if environ.get("ENVIRONMENT", "development") != "development":
        return dict(environ)
    from_file = {key: value for key, value in dotenv_values(".env").items() if value is not None}
    return {**from_file, **environ}


def _read_secret(
    name: str,
    environ: Mapping[str, str],
    values: dict[str, Any],
    *,
    references: dict[str, str],
    plain: set[str],
    problems: list[SettingProblem],
) -> None:
    variable = name.upper()
    file, reference, value = (environ.get(variable + end) or None for end in ("_FILE", "_REF", ""))
    if file and reference:
        problems.append(
            SettingProblem(variable, f"{variable}_FILE and {variable}_REF are both set", "Keep one of them")
        )
    if file:
        text, problem = _read_file(variable, Path(file), environ.get("ENVIRONMENT", "development"))
        if problem is not None:
            problems.append(problem)
        elif text is not None:
            values[name] = text
    elif reference:
        references[name] = reference
    elif value:
        values[name] = value
        plain.add(name)


def _read_file(variable: str, path: Path, environment: str) -> tuple[str | None, SettingProblem | None]:
    name = f"{variable}_FILE"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.stat().st_size > MAX_SECRET_BYTES:
            return None, SettingProblem(name, "the file is larger than 64 KiB", "Name the secret's own file")
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"the file cannot be read ({type(error).__name__})"
        return None, SettingProblem(name, problem, "Check its path, owner and encoding (UTF-8)")
    if not text:
        return None, SettingProblem(name, "the file is empty", "Write the secret into it")
    if environment in {"staging", "production"} and mode & 0o077:
        problem = f"the file's mode is {mode:04o}, readable by others"
        return None, SettingProblem(name, problem, "chmod 0400 or 0600 it")
    return text, None


def resolve_reference(
    name: str, reference: str, resolve: Callable[[str], str] | None
) -> tuple[str | None, SettingProblem | None]:
    """The value behind a reference, or what is wrong with it. The value never appears in a problem."""
    variable = f"{name.upper()}_REF"
    if not reference.startswith(REFERENCE_SCHEMES):
        cure = f"Use one of {', '.join(REFERENCE_SCHEMES)}"
        return None, SettingProblem(variable, "names no known provider", cure)
    if resolve is None:
        cure = "Run where the provider can be reached"
        return None, SettingProblem(variable, "was not resolved: there is no resolver here", cure)
    try:
        value = resolve(reference)
    except NudgePayError as error:
        return None, SettingProblem(variable, "could not be resolved", str(error))
    if not value:
        return None, SettingProblem(variable, "resolves to nothing", "Store a value under it")
    return value, None
