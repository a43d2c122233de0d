"""What a field of a client or an invoice may hold. Every refusal names the field."""

import re
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError

from nudgepay.errors import UsageError

MAX_NAME = 200
MAX_NUMBER = 64
MAX_EMAIL = 254
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COUNTRY = re.compile(r"[A-Z]{2}")


class FieldError(UsageError):
    """One field holds what it may not. `field` is its name, `code` a stable word for scripts."""

    def __init__(self, field: str, code: str, message: str) -> None:
        """The message is a sentence that ends with the cure."""
        self.field = field
        self.code = code
        self.reason = message
        super().__init__(f"{field}: {message}")


def clean_line(value: str, field: str, *, longest: int = MAX_NAME) -> str:
    """One line of text without control or direction characters; raises FieldError."""
    text = value.strip()
    if not text:
        raise FieldError(field, "missing", "must not be empty")
    if len(text) > longest:
        raise FieldError(field, "too_long", f"is longer than {longest} characters")
    if _CONTROL.search(text):
        raise FieldError(field, "control_character", "holds a line break or control character; remove it")
    return text


@lru_cache(maxsize=65_536)
def clean_email(value: str, field: str = "email") -> str:
    """One address, normalised (lower-case domain, IDN as Unicode); raises FieldError. Asks no DNS."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # it loads a DNS client

    text = clean_line(value, field, longest=MAX_EMAIL)
    try:
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, allow_domain_literal=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise FieldError(field, "not_an_address", "is not one e-mail address such as name@example.com") from error
    return found.ascii_email or found.normalized


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def clean_timezone(value: str, field: str = "timezone") -> str:
    """An IANA zone name; raises FieldError."""
    if value not in _zones():
        raise FieldError(field, "unknown_timezone", "is no IANA time zone such as Europe/Berlin")
    return value


@lru_cache(maxsize=1024)
def clean_locale(value: str, field: str = "locale") -> str:
    """A BCP 47 tag that CLDR knows (`de`, `de-AT`); raises FieldError."""
    try:
        found = Locale.parse(value.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise FieldError(field, "unknown_locale", "is no locale such as en or de-AT") from error
    return str(found).replace("_", "-")


def clean_country(value: str, field: str = "country") -> str:
    """Two letters of ISO 3166-1; raises FieldError."""
    upper = value.strip().upper()
    if not _COUNTRY.fullmatch(upper) or upper not in Locale("en").territories:
        raise FieldError(field, "unknown_country", "is no ISO 3166 country code such as DE")
    return upper
