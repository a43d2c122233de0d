"""The parts of a line as a form carries them, `INVOICE:AMOUNT,INVOICE:AMOUNT`: what is booked is what was seen."""

from collections.abc import Iterable

from nudgepay.errors import UsageError
from nudgepay.payments.statements.booking import Wanted

MOST_PARTS = 200


class BadParts(UsageError):
    """What no page of ours has written."""


def written(parts: Iterable[tuple[int, int]]) -> str:
    """For a hidden field."""
    return ",".join(f"{invoice_id}:{amount}" for invoice_id, amount in parts)


def read_parts(text: str) -> tuple[tuple[int, int], ...]:
    """From a hidden field; raises BadParts."""
    return tuple(_pair(part, ":") for part in text.split(",")[:MOST_PARTS])


def wanted_line(text: str) -> Wanted:
    """`LINE=PARTS`; raises BadParts."""
    line, sign, parts = text.partition("=")
    if not sign or not _is_number(line):
        raise BadParts("a line is not readable: load the page again")
    return Wanted(int(line), read_parts(parts))


def _pair(text: str, sign: str) -> tuple[int, int]:
    one, _, other = text.partition(sign)
    if not (_is_number(one) and _is_number(other)):
        raise BadParts("a part is not readable: load the page again")
    return int(one), int(other)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
