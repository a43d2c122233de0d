"""How well-known banks lay out their CSV files, as publicly documented; others are told by `--map`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

FIELDS = ("booked_on", "amount", "currency", "counterparty", "reference", "purpose", "id")
REQUIRED = ("booked_on", "amount")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is which field; `locale` is the file's conventions, None for ISO dates and plain amounts.

    A row counts when its `state` column, if the file has one, holds one of `booked`. `currency` is that of a file
    without such a column.
    """

    name: str
    columns: Mapping[str, str]
    locale: str | None = None
    currency: str = ""
    account: str = ""
    state: str = ""
    booked: Collection[str] = field(default_factory=tuple)

    def fits(self, header: Collection[str]) -> bool:
        """True when the header has every column of the layout."""
        return {*self.columns.values(), *filter(None, (self.account, self.state))} <= set(header)


KNOWN = (
    Layout(
        "sparkasse-csv-camt",
        {
            "booked_on": "Buchungstag",
            "amount": "Betrag",
            "currency": "Waehrung",
            "counterparty": "Beguenstigter/Zahlungspflichtiger",
            "purpose": "Verwendungszweck",
            "reference": "Kundenreferenz (End-to-End)",
        },
        locale="de",
        account="Auftragskonto",
        state="Info",
        booked=("Umsatz gebucht", ""),
    ),
    Layout(
        "dkb",
        {
            "booked_on": "Buchungsdatum",
            "amount": "Betrag (€)",
            "counterparty": "Zahlungspflichtige*r",
            "purpose": "Verwendungszweck",
        },
        locale="de",
        currency="EUR",
        state="Status",
        booked=("Gebucht",),
    ),
    Layout(
        "n26",
        {
            "booked_on": "Booking Date",
            "amount": "Amount (EUR)",
            "counterparty": "Partner Name",
            "purpose": "Payment Reference",
        },
        currency="EUR",
        account="Account Name",
    ),
    Layout(
        "n26",
        {"booked_on": "Date", "amount": "Amount (EUR)", "counterparty": "Payee", "purpose": "Payment reference"},
        currency="EUR",
    ),
    Layout(
        "wise",
        {
            "id": "TransferWise ID",
            "booked_on": "Date",
            "amount": "Amount",
            "currency": "Currency",
            "counterparty": "Payer Name",
            "purpose": "Payment Reference",
        },
        locale="en-GB",
    ),
    Layout(
        "revolut-business",
        {
            "id": "ID",
            "booked_on": "Date completed (UTC)",
            "amount": "Amount",
            "currency": "Payment currency",
            "counterparty": "Payer",
            "purpose": "Reference",
        },
        state="State",
        booked=("COMPLETED",),
    ),
    Layout(
        "revolut",
        {"booked_on": "Completed Date", "amount": "Amount", "currency": "Currency", "purpose": "Description"},
        account="Product",
        state="State",
        booked=("COMPLETED",),
    ),
)


def named_by_person(
    name: str, columns: Mapping[str, str], *, locale: str | None = None, currency: str | None = None
) -> Layout:
    """A layout of which somebody said what each column is: `columns` is the file's own name to the field."""
    fields = {field: column for column, field in columns.items()}
    return Layout(name, fields, locale=locale or None, currency=currency or "")


def known_layout(header: Collection[str], named: Sequence[Layout] = ()) -> Layout | None:
    """The first layout whose columns the header has: of those that people named the most telling, then known banks'.

    Which rows of a known bank's file are booked stays as it is known, whoever named the columns.
    """
    known = next((layout for layout in KNOWN if layout.fits(header)), None)
    telling = sorted(named, key=lambda one: -len(one.columns))
    found = next((layout for layout in telling if layout.fits(header)), None)
    if found is None or known is None:
        return found or known
    return replace(found, account=known.account, state=known.state, booked=known.booked)
