"""What is wrong in a file, where, and what to do."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RowFault:
    """One fault. `line` counts the header as 1; `column` is the file's own name for it, empty for a whole line.

    `value` is the beginning of what the cell holds, for the person who sent the file.
    """

    line: int
    column: str
    code: str
    message: str
    value: str = field(default="", compare=False)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {"line": self.line, "column": self.column, "code": self.code, "message": self.message}


class Unreadable(Exception):
    """The file cannot be read any further; everything before it was read."""

    def __init__(self, fault: RowFault) -> None:
        """Carries the fault."""
        super().__init__(fault.message)
        self.fault = fault
