"""The QR code that banking apps read: EPC069-12 version 3.1, "Quick Response Code: Guidelines to Enable Data
Capture for the Initiation of a SEPA Credit Transfer" (European Payments Council). Pure."""

from collections.abc import Iterable

import segno

SERVICE_TAG, VERSION, UTF_8, IDENTIFICATION = "BCD", "002", "1", "SCT"
LARGEST = 99_999_999_999
"""999999999.99 EUR in cents, the most that the format can say."""
LONGEST_NAME = 70
LONGEST_REMITTANCE = 140
LONGEST_PAYLOAD = 331
"""Bytes: what version 13 with error correction M holds."""


def remittance(numbers: Iterable[str]) -> str:
    """The invoice numbers as one transfer's reference: as many whole ones as 140 characters hold."""
    text = ""
    for number in numbers:
        longer = f"{text}, {number}" if text else number
        if len(longer) > LONGEST_REMITTANCE:
            break
        text = longer
    return text


def epc_payload(*, name: str, iban: str, bic: str | None, cents: int, reference: str) -> str | None:
    """The twelve lines, or None when the transfer cannot be said in this format.

    Lines: tag, version, character set, identification, BIC, name, IBAN, amount, purpose, structured
    reference, unstructured reference (the text for the owner stays out).
    """
    if not 1 <= cents <= LARGEST:
        return None
    amount = f"EUR{cents // 100}.{cents % 100:02d}"
    lines = [
        SERVICE_TAG,
        VERSION,
        UTF_8,
        IDENTIFICATION,
        (bic or "").replace(" ", "").upper(),
        " ".join(name.split())[:LONGEST_NAME],
        iban.replace(" ", "").upper(),
        amount,
        "",
        "",
        " ".join(reference.split())[:LONGEST_REMITTANCE],
    ]
    payload = "\n".join(lines).rstrip("\n")
    return payload if len(payload.encode()) <= LONGEST_PAYLOAD else None


def qr_data_uri(payload: str) -> str:
    """The payload as an SVG in a data: URI, dark on white whatever the page's colours, error correction M."""
    code = segno.make(payload, error="m", boost_error=False, micro=False)
    uri: str = code.svg_data_uri(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    return uri
