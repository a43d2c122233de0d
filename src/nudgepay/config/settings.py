"""The settings themselves, one attribute each, named as in the environment."""

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nudgepay.config import policy, sources
from nudgepay.config.problems import SettingProblem, SettingsValidationError

Resolver = Callable[[str], str]
"""Takes a managed reference (`scheme://...`) and returns its value; raises NudgePayError with a cure."""

SECRETS: tuple[str, ...] = sources.SECRETS
_environ: ContextVar[Mapping[str, str]] = ContextVar("environ", default=os.environ)


class Settings(BaseSettings):
    """One installation's configuration. Durations carry their unit in the name; money never appears here."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: Literal["development", "test", "staging", "production"] = "development"
    base_url: str = "http://127.0.0.1:8000"
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    nudgepay_home: Path = Path("var")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trusted_proxies: str = ""
    allowed_hosts: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    worker_poll_seconds: float = Field(default=5, gt=0, le=60)
    worker_stop_seconds: float = Field(default=10, gt=0, le=600)
    ready_backlog_minutes: int = Field(default=15, ge=1, le=1440)

    session_secret: SecretStr | None = None
    csrf_secret: SecretStr | None = None
    cron_hmac_secret: SecretStr | None = None
    service_token_pepper: SecretStr | None = None
    admin_email: str | None = None
    admin_password_hash: SecretStr | None = None
    admin_credentials: SecretStr | None = None
    admin_totp_secret: SecretStr | None = None
    audit_signing_key: SecretStr | None = None
    audit_anchor_dir: Path | None = None
    erasure_ledger_dir: Path | None = None
    retention_years: int | None = Field(default=None, ge=0, le=100)
    session_https_only: bool = True
    session_cookie_same_site: Literal["lax", "strict", "none"] = "lax"
    session_idle_minutes: int = Field(default=30, ge=1)
    session_absolute_hours: int = Field(default=12, ge=1)
    session_proof_minutes: int = Field(default=10, ge=1, le=720)
    second_factor: Literal["required", "optional"] | None = None
    login_rate_limit_attempts: int = Field(default=5, ge=1)
    login_rate_limit_window_seconds: int = Field(default=300, ge=1)
    login_rate_limit_block_seconds: int = Field(default=900, ge=1)

    mail_transport: Literal["smtp", "outbox"] = "outbox"
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_pool_size: int = Field(default=4, ge=1, le=64)
    smtp_timeout_seconds: float = Field(default=20, gt=0)
    smtp_receipts: str = "none"
    bounce_mailbox: SecretStr | None = None
    mail_webhook_secret: SecretStr | None = None
    from_email: str = "invoices@localhost.localdomain"
    reply_to: str | None = None
    dkim_domain: str | None = None
    dkim_selector: str | None = None
    dkim_key_file: Path | None = None
    smtp_idempotency_header: str | None = None
    dns_servers: str = ""

    stripe_secret_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    stripe_account: str | None = None
    stripe_api_base: str = "https://api.stripe.com"

    invoice_pdfs: Literal["link", "attach", "none"] = "link"
    thank_you_letters: bool = True
    digest_recipients: str = ""
    digest_at: str = "07:30"
    copy_first_letters: int = Field(default=0, ge=0, le=1000)
    copy_letters_to: str | None = None

    sending_hours: str = "09:00-17:00"
    contact_gap_days: int = Field(default=2, ge=0, le=60)
    sending_lease_seconds: float = Field(default=900, gt=0)

    business_name: str = "My business"
    business_address: str = ""
    business_timezone: str = "Europe/Berlin"
    business_locale: str = "en"
    business_country: str = "DE"
    business_iban: str | None = None
    business_bic: str | None = None

    references: dict[str, str] = Field(default_factory=dict)
    """Managed reference of each secret that came as `NAME_REF`, by attribute name."""
    plain_secrets: frozenset[str] = frozenset()
    """Secrets that came as a plain value, by attribute name."""
    source_problems: tuple[SettingProblem, ...] = ()
    """What went wrong while files and references were read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment with files and references."""
        return init_settings, sources.EnvironmentSource(settings_cls, _environ.get())

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment, or the mapping given and nothing else.

        Raises SettingsValidationError for unreadable values.
        """
        outer = _environ.set(os.environ if environ is None else environ)
        try:
            return cls()
        except ValidationError as error:
            problems = [_type_problem(item["loc"], item["msg"]) for item in error.errors()]
            raise SettingsValidationError(problems) from None
        finally:
            _environ.reset(outer)

    def ensure_valid(self, *, strict: bool | None = None, resolve: Resolver | None = None) -> Self:
        """A copy with every reference resolved, or SettingsValidationError with all problems at once.

        Staging and production are always strict; without a resolver a reference counts as unresolved.
        """
        is_strict = bool(strict) or self.environment in {"staging", "production"}
        resolved, problems = self._resolved(resolve)
        problems += [*self.source_problems, *policy.check(resolved, strict=is_strict)]
        if problems:
            raise SettingsValidationError(list(dict.fromkeys(problems)))
        return resolved

    def _resolved(self, resolve: Resolver | None) -> tuple[Self, list[SettingProblem]]:
        values: dict[str, Any] = {}
        problems: list[SettingProblem] = []
        for name, reference in self.references.items():
            value, problem = sources.resolve_reference(name, reference, resolve)
            if problem is not None:
                problems.append(problem)
            elif value is not None:
                values[name] = SecretStr(value)
        return self.model_copy(update=values), problems

    @property
    def requires_second_factor(self) -> bool:
        """Whether everybody must have one: by default where the books are real."""
        if self.second_factor is not None:
            return self.second_factor == "required"
        return self.environment in {"staging", "production"}

    def secret(self, name: str) -> str | None:
        """The value of a secret attribute, or None when it is not set."""
        value: SecretStr | None = getattr(self, name)
        return None if value is None else value.get_secret_value()


def _type_problem(location: tuple[int | str, ...], message: str) -> SettingProblem:
    name = str(location[0]).upper() if location else "environment"
    return SettingProblem(name, f"cannot be read: {message}", "Correct it or remove it to use the default")
