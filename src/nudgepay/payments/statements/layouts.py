"""How well-known banks lay out their CSV files, as publicly documented; others are told by `--map`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

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


def known_layout(header: Collection[str]) -> Layout | None:
    """The first known layout whose columns the header has."""
    return next((layout for layout in KNOWN if layout.fits(header)), None)
