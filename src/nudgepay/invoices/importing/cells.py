"""What a cell holds: text, an exact number, a day, or a fault of the sheet. No number is rounded."""

import math
import re
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

SPREADSHEET = Context(prec=15)
"""Spreadsheet programs keep and show 15 significant digits; what lies beyond is noise of their arithmetic."""

NOISE = Decimal("0.000001")
TRIGGERS = "=+\\-@\t\r\n＝＋－＠"
"""Signs (for a regular expression) with which a text begins that a spreadsheet may run."""

_QUOTED = re.compile(f"'+[{TRIGGERS}]")


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell without a usable value. It is a fault only where its column is needed."""

    code: str
    message: str


Cell = str | Decimal | date | Broken


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file; `line` counts as the file's own program does."""

    line: int
    cells: list[Cell]

    @property
    def is_blank(self) -> bool:
        """True when no cell holds anything but white space."""
        return not any(not isinstance(cell, str) or cell.strip() for cell in self.cells)


def exact(value: int | float) -> Decimal:
    """The number that the spreadsheet shows: 0.1 + 0.2 is 0.3, and 1234.5 is 1234.5.

    A number with more digits than a spreadsheet keeps stays as it is written, so that no cent is invented.
    """
    shortest = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if isinstance(value, int) or not math.isfinite(value):
        return shortest
    shown = SPREADSHEET.plus(shortest)
    return shown if abs(shown - shortest) < NOISE else shortest


def as_text(cell: Cell) -> str:
    """The cell as a person would type it; a whole number without decimals."""
    if isinstance(cell, Decimal):
        whole = cell.is_finite() and cell == cell.to_integral_value()
        return str(int(cell)) if whole else format(cell, "f")
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if isinstance(cell, Broken) else cell


def unquoted(text: str) -> str:
    """Without the one apostrophe that a safe export puts before a text that a spreadsheet could run."""
    return text[1:] if _QUOTED.match(text) else text
