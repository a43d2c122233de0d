"""What a configuration must hold. Each rule yields problems; all rules always run.

Strict (always in staging and production) adds what a payer's data and an operator's session need:
strong secrets that are not plain environment values, HTTPS, secure cookies, TLS to the mail relay.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from zoneinfo import available_timezones

from nudgepay.config.problems import SettingProblem

if TYPE_CHECKING:
    from nudgepay.config.settings import Settings

MINIMUM_SECRET_LENGTH = 32
MINIMUM_DISTINCT_CHARACTERS = 10
MINIMUM_BCRYPT_COST = 12
KEYS = ("session_secret", "csrf_secret", "cron_hmac_secret", "service_token_pepper")
KNOWN_DEFAULTS = ("changeme", "change-me", "secret", "password", "default", "example", "insecure", "dev-only")
BCRYPT = re.compile(r"\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}")
BASE32 = re.compile(r"([A-Z2-7][ -]?){16,}")
SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*")
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,60}")
MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
AUDIT_KEYS = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----|[^\s,]+", re.DOTALL)
AUDIT_KEY = re.compile(r"-----BEGIN (PRIVATE|PUBLIC) KEY-----.*|(public:)?[A-Za-z0-9+/_-]{43}=?", re.DOTALL)
"""Seeds in base64, PEM blocks, and `public:BASE64` of keys that only verify."""
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")

Rule = Callable[["Settings"], Iterator[SettingProblem]]


def check(settings: "Settings", *, strict: bool) -> list[SettingProblem]:
    """Every problem that the rules find, in a fixed order."""
    rules = ALWAYS + (STRICT if strict else ())
    return [problem for rule in rules for problem in rule(settings)]


def _database(settings: "Settings") -> Iterator[SettingProblem]:
    url = settings.secret("database_url")
    if url is None:
        return
    scheme = urlsplit(url).scheme.split("+")[0]
    if scheme not in {"postgresql", "postgres"}:
        yield SettingProblem("DATABASE_URL", "does not name a PostgreSQL database", "Use postgresql://user@host/name")


def _address(settings: "Settings") -> Iterator[SettingProblem]:
    try:
        parts = urlsplit(settings.base_url)
        host = parts.hostname or ""
    except ValueError:
        yield SettingProblem("BASE_URL", "is no URL", "Use https://pay.example.com")
        return
    if parts.scheme not in {"http", "https"} or not host:
        yield SettingProblem("BASE_URL", "is no web address", "Use https://pay.example.com")
    elif not settings.base_url.isascii():
        yield SettingProblem(
            "BASE_URL", "holds letters that no link in a mail may carry", "Write its host as xn--..."
        )
    elif parts.username or parts.query or parts.fragment:
        yield SettingProblem("BASE_URL", "is more than a place", "Leave out user, query and fragment")


def _business(settings: "Settings") -> Iterator[SettingProblem]:
    if settings.business_timezone not in available_timezones():
        yield SettingProblem("BUSINESS_TIMEZONE", "is no IANA time zone", "Use a name such as Europe/Berlin")
    match = HOURS.fullmatch(settings.sending_hours)
    if match is None or settings.sending_hours[:5] >= settings.sending_hours[6:]:
        yield SettingProblem("SENDING_HOURS", "is no range of hours in one day", "Use HH:MM-HH:MM")


def _recipients(settings: "Settings") -> Iterator[SettingProblem]:
    listed = {
        "ADMIN_EMAIL": settings.admin_email or "",
        "DIGEST_RECIPIENTS": settings.digest_recipients,
        "COPY_LETTERS_TO": settings.copy_letters_to or "",
    }
    for name, value in listed.items():
        if any(part.strip() and not MAILBOX.fullmatch(part.strip()) for part in value.split(",")):
            yield SettingProblem(name, "holds what is no plain address", "Write name@example.com")


def _digest(settings: "Settings") -> Iterator[SettingProblem]:
    if settings.digest_at != "off" and not TIME.fullmatch(settings.digest_at):
        yield SettingProblem("DIGEST_AT", "is no time of day", "Use HH:MM, or off")


def _mail(settings: "Settings") -> Iterator[SettingProblem]:
    if settings.mail_transport == "smtp" and not settings.smtp_host:
        yield SettingProblem("SMTP_HOST", "is missing while MAIL_TRANSPORT is smtp", "Name your relay")
    header = settings.smtp_idempotency_header
    if header is not None and not HEADER_NAME.fullmatch(header):
        yield SettingProblem("SMTP_IDEMPOTENCY_HEADER", "is no name of a header", "Use the one your provider names")
    receipts = settings.smtp_receipts
    if receipts != "none" and not (receipts.startswith("postfix:") and receipts.removeprefix("postfix:")):
        yield SettingProblem("SMTP_RECEIPTS", "names nothing that can be read", "Use none, or postfix:PATH")


def _dkim(settings: "Settings") -> Iterator[SettingProblem]:
    given = {name: getattr(settings, name) for name in ("dkim_domain", "dkim_selector", "dkim_key_file")}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) in {1, 2}:
        for name in missing:
            yield SettingProblem(name.upper(), "is missing while letters are to be signed", "Set all three, or none")
    if settings.dkim_domain is not None:
        sender = settings.from_email.rpartition("@")[2].strip("<> ").lower()
        domain = settings.dkim_domain.lower()
        if sender != domain and not sender.endswith(f".{domain}"):
            yield SettingProblem("DKIM_DOMAIN", "is not the domain of FROM_EMAIL", "Sign for the sender's own domain")
    if settings.dkim_selector is not None and not SELECTOR.fullmatch(settings.dkim_selector):
        yield SettingProblem("DKIM_SELECTOR", "is no name that DNS could hold", "Use letters, digits and dashes")
    if settings.dkim_key_file is not None and not settings.dkim_key_file.is_file():
        yield SettingProblem("DKIM_KEY_FILE", "cannot be found", "Name a file that this process may read")


def _audit(settings: "Settings") -> Iterator[SettingProblem]:
    value = settings.secret("audit_signing_key")
    if value is not None and not all(AUDIT_KEY.fullmatch(part) for part in AUDIT_KEYS.findall(value)):
        cure = "Make one: openssl rand -base64 32"
        yield SettingProblem("AUDIT_SIGNING_KEY", "holds what is no Ed25519 key", cure)


def _stripe(settings: "Settings") -> Iterator[SettingProblem]:
    webhook = settings.secret("stripe_webhook_secret")
    if webhook is not None and not all(part.strip() for part in webhook.split(",")):
        yield SettingProblem(
            "STRIPE_WEBHOOK_SECRET", "holds an empty secret", "Separate accepted secrets by single commas"
        )


def _present(settings: "Settings") -> Iterator[SettingProblem]:
    for name in ("database_url", *KEYS):
        if settings.secret(name) is None and name not in settings.references:
            cure = f"Set {name.upper()}_REF or {name.upper()}_FILE"
            yield SettingProblem(name.upper(), "is missing", cure)


def _managed(settings: "Settings") -> Iterator[SettingProblem]:
    if settings.environment not in {"staging", "production"}:
        return
    for name in sorted(settings.plain_secrets):
        cure = f"Set {name.upper()}_REF to a managed reference, or {name.upper()}_FILE"
        yield SettingProblem(name.upper(), "is a plain environment value", cure)
    for name, reference in settings.references.items():
        if reference.startswith("env://"):
            cure = "Use aws-secrets://, vault:// or gcp-sm://, or a file"
            yield SettingProblem(f"{name.upper()}_REF", "points into the environment", cure)


def _strong(settings: "Settings") -> Iterator[SettingProblem]:
    seen: dict[str, str] = {}
    for name in KEYS:
        value = settings.secret(name)
        if value is None:
            continue
        variable = name.upper()
        if len(value) < MINIMUM_SECRET_LENGTH:
            problem = f"is shorter than {MINIMUM_SECRET_LENGTH} characters"
            yield SettingProblem(variable, problem, "Generate one: openssl rand -base64 48")
        if any(word in value.lower() for word in KNOWN_DEFAULTS):
            yield SettingProblem(variable, "looks like a default", "Generate one: openssl rand -base64 48")
        elif len(set(value)) < MINIMUM_DISTINCT_CHARACTERS:
            yield SettingProblem(variable, "is too uniform to be random", "Generate one: openssl rand -base64 48")
        if value in seen:
            yield SettingProblem(variable, f"is the same as {seen[value]}", "Give each role a key of its own")
        seen.setdefault(value, variable)


def _password_hash(settings: "Settings") -> Iterator[SettingProblem]:
    value = settings.secret("admin_password_hash")
    if value is None:
        return
    match = BCRYPT.fullmatch(value)
    if match is None:
        yield SettingProblem("ADMIN_PASSWORD_HASH", "is no bcrypt hash", "Make one with: nudgepay init")
    elif int(match[1]) < MINIMUM_BCRYPT_COST:
        problem = f"has a bcrypt cost below {MINIMUM_BCRYPT_COST}"
        yield SettingProblem("ADMIN_PASSWORD_HASH", problem, "Make a new one with: nudgepay init")


def _totp_secret(settings: "Settings") -> Iterator[SettingProblem]:
    value = settings.secret("admin_totp_secret")
    if value is not None and not BASE32.fullmatch(value.strip().upper().rstrip("=")):
        cure = "Write what the authenticator app takes: base32, 16 signs or more"
        yield SettingProblem("ADMIN_TOTP_SECRET", "is no TOTP secret", cure)


def _https(settings: "Settings") -> Iterator[SettingProblem]:
    if not settings.base_url.lower().startswith("https://"):
        yield SettingProblem("BASE_URL", "is not https", "Serve payers and operators over HTTPS only")


def _cookies(settings: "Settings") -> Iterator[SettingProblem]:
    if not settings.session_https_only:
        yield SettingProblem("SESSION_HTTPS_ONLY", "is off", "Remove it; cookies must be Secure")
    if settings.session_cookie_same_site == "none":
        yield SettingProblem("SESSION_COOKIE_SAME_SITE", "is none", "Use lax or strict")


def _rate_limits(settings: "Settings") -> Iterator[SettingProblem]:
    limits = (
        ("LOGIN_RATE_LIMIT_ATTEMPTS", settings.login_rate_limit_attempts, 1, 20),
        ("LOGIN_RATE_LIMIT_WINDOW_SECONDS", settings.login_rate_limit_window_seconds, 60, 86_400),
        ("LOGIN_RATE_LIMIT_BLOCK_SECONDS", settings.login_rate_limit_block_seconds, 60, 86_400),
    )
    for name, value, low, high in limits:
        if not low <= value <= high:
            yield SettingProblem(name, "is outside its sane range", f"Use a number from {low} to {high}")


def _production_mail(settings: "Settings") -> Iterator[SettingProblem]:
    if settings.environment not in {"staging", "production"}:
        return
    if settings.mail_transport != "smtp":
        yield SettingProblem("MAIL_TRANSPORT", "is outbox: no letter would leave", "Use smtp")
    elif settings.smtp_security == "none" and settings.smtp_host not in {"127.0.0.1", "::1", "localhost"}:
        yield SettingProblem("SMTP_SECURITY", "is none for a relay on another host", "Use starttls or tls")


def _database_tls(settings: "Settings") -> Iterator[SettingProblem]:
    url = settings.secret("database_url")
    if url is None or settings.environment not in {"staging", "production"}:
        return
    parts = urlsplit(url)
    mode = parse_qs(parts.query).get("sslmode", [""])[0]
    local = parts.hostname in {None, "127.0.0.1", "::1", "localhost"}
    if not local and mode not in {"require", "verify-ca", "verify-full"}:
        yield SettingProblem("DATABASE_URL", "does not ask for TLS", "Add ?sslmode=verify-full")


def _live_stripe(settings: "Settings") -> Iterator[SettingProblem]:
    key = settings.secret("stripe_secret_key")
    if settings.environment == "production" and key is not None and "_test_" in key:
        yield SettingProblem("STRIPE_SECRET_KEY", "is a test key in production", "Use the live key")
    if key is not None and settings.secret("stripe_webhook_secret") is None:
        cure = "Set STRIPE_WEBHOOK_SECRET_REF or _FILE"
        yield SettingProblem("STRIPE_WEBHOOK_SECRET", "is missing while Stripe is used", cure)


ALWAYS: tuple[Rule, ...] = (_address, _database, _business, _recipients, _digest, _mail, _dkim, _audit, _stripe)
STRICT: tuple[Rule, ...] = (
    _present,
    _managed,
    _strong,
    _password_hash,
    _totp_secret,
    _https,
    _cookies,
    _rate_limits,
    _production_mail,
    _database_tls,
    _live_stripe,
)
