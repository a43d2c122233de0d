"""How long the law keeps what belongs to the books: full years after the year to which a record belongs."""

from nudgepay.config import Settings

YEARS_BY_COUNTRY = {
    "AT": 7,
    "BE": 10,
    "CH": 10,
    "DE": 10,
    "DK": 5,
    "ES": 6,
    "FI": 6,
    "FR": 10,
    "GB": 6,
    "IE": 6,
    "IT": 10,
    "NL": 7,
    "SE": 7,
    "US": 7,
}
DEFAULT_YEARS = 10
TERM = "make_date(extract(year FROM {dated})::int + :years + 1, 1, 1)"
"""The first day on which a record need not be kept any more."""


def retention_years(settings: Settings) -> int:
    """`RETENTION_YEARS`, or what is usual in the business's country, or ten."""
    if settings.retention_years is not None:
        return settings.retention_years
    return YEARS_BY_COUNTRY.get(settings.business_country.upper(), DEFAULT_YEARS)
