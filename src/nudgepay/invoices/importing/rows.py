"""What a row of a file becomes: an invoice to write, or one to pass over with its reason."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds when the file does not say. `due_days` after its issue an invoice without a due date is due."""

    locale: str
    timezone: str
    country: str
    currency: str | None = None
    due_days: int | None = None


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One checked row; amounts in minor units.

    Without an address (`client_email` empty) the client must be on the books. `is_open_amount`: the file tells
    only what is open, and that is `amount`.
    """

    line: int
    client_name: str
    client_email: str
    client_locale: str
    client_timezone: str
    client_country: str
    client_external_id: str | None
    invoice_number: str
    external_id: str | None
    description: str | None
    issued_on: date
    due_on: date
    currency: str
    amount: int
    amount_paid: int
    is_open_amount: bool = False


@dataclass(frozen=True, slots=True)
class PassedRow:
    """A row that is no claim: paid, void, a draft, no invoice. Names are as the file has them, perhaps empty."""

    line: int
    reason: str
    invoice_number: str
    client_name: str
    client_external_id: str
    currency: str
