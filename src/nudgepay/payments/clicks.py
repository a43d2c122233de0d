"""A payer's click, in values: the page, what is wanted, what was decided, and why it may be refused."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nudgepay.errors import Conflict, UsageError
from nudgepay.payments.closing import Candidate


class NothingToPay(Conflict):
    """Everything on the page is settled, or contested."""


class PaymentInFlight(Conflict):
    """A payment for these invoices is on its way; a second one would be paid twice."""


class TooMuch(UsageError):
    """Not a positive amount of at most what is open."""


@dataclass(frozen=True, slots=True)
class PayPage:
    """What one mailed page can pay: invoices of one client in one currency. `key`: `invoice:ID` or `letter:UUID`.

    `contested`: minor units by invoice id that the payer disputes; they are not asked for, but may be paid.
    """

    key: str
    client_id: int
    invoice_ids: tuple[int, ...]
    currency: str
    locale: str
    description: str
    payer_email: str | None = None
    contested: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Click:
    """One press of the button: `amount` in minor units, or None for all that is claimed."""

    page: PayPage
    amount: int | None
    success_url: str
    cancel_url: str

    @property
    def fingerprint(self) -> str:
        """Of everything that Stripe is told besides the money: with other words a key would be refused."""
        page = self.page
        told = [page.description, page.locale, page.payer_email, self.success_url, self.cancel_url]
        return hashlib.blake2s(json.dumps(told).encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Intent:
    """A checkout on our books, and the `others` that could be paid for the same invoices.

    `is_young`: Stripe surely remembers its key. `says_the_same`: the key was used with these very words.
    """

    id: int
    key: str
    amount: int
    version: int
    created_at: datetime
    session_id: str | None
    url: str | None
    is_young: bool
    says_the_same: bool
    others: tuple[Candidate, ...]

    @property
    def candidate(self) -> Candidate:
        """This checkout as one that may have an open session."""
        return Candidate(self.id, self.session_id, self.created_at)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a session that was just made is the one to pay, and which `others` must be closed then."""

    is_current: bool
    is_superseded: bool
    others: tuple[Candidate, ...]
