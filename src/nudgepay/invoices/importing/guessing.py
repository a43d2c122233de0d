"""Which field a column of an unknown file may fill, by its name: offered to a person, never used without one."""

import re
from collections.abc import Iterable

_WORDS = {
    "client_email": "e mail|email|mail|e mail address|e mail adresse|email address|courriel|correo|posta elettronica",
    "client_name": "client|customer|kunde|kundenname|debitor|firma|company|name|bill to|cliente|klant|klient|nom",
    "invoice_number": "invoice|invoice no|invoice number|number|nr|no|nummer|rechnung|rechnungsnummer"
    "|rechnungs nr|belegnummer|facture|numero|factura|fattura|factuur|factuurnummer|faktura",
    "due_on": "due|due date|due on|due at|fällig|fällig am|fälligkeit|fälligkeitsdatum|zahlbar bis|echeance|échéance"
    "|vencimiento|scadenza|vervaldatum",
    "issued_on": "date|invoice date|issued|issue date|issued at|datum|rechnungsdatum|belegdatum|ausgestellt am"
    "|fecha|data",
    "currency": "currency|währung|waehrung|devise|moneda|valuta|waluta",
    "amount": "amount|total|sum|gross|gross amount|betrag|bruttobetrag|brutto|summe|rechnungsbetrag|gesamt"
    "|montant|importe|importo|bedrag|kwota",
    "amount_paid": "paid|amount paid|bezahlt|gezahlt|paye|payé|pagado|pagato|betaald",
    "amount_open": "open|outstanding|balance|amount due|open balance|offen|offener betrag|restbetrag|saldo"
    "|openstaand",
    "description": "description|subject|beschreibung|betreff|leistung|verwendungszweck|objet|concepto|oggetto",
    "client_external_id": "customer id|client id|customer no|customer number|kundennummer|kunden nr|debitorennummer",
    "client_country": "country|land|pays|pais|paese",
    "client_locale": "language|locale|sprache|langue|idioma|lingua|taal",
}
_FIELDS = {word: field for field, words in _WORDS.items() for word in words.split("|")}
_BETWEEN = re.compile(r"[\W_]+")


def guessed(names: Iterable[str]) -> dict[str, str]:
    """Column to field, each field once, for the columns whose names say what they are."""
    found: dict[str, str] = {}
    for name in names:
        field = _FIELDS.get(_BETWEEN.sub(" ", name.casefold()).strip())
        if field is not None and field not in found.values():
            found[name] = field
    return found
