"""Where a page of a list ends: the instant and the id of its last row, as they stand in a link."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """A row's sort key."""

    at: datetime
    id: int

    @property
    def written(self) -> str:
        """For a link."""
        return f"{self.at.isoformat().replace('+', 'p')}_{self.id}"

    @classmethod
    def read(cls, value: str) -> Self | None:
        """From a link; None for what we never wrote."""
        at, _, number = value.rpartition("_")
        try:
            found, place = datetime.fromisoformat(at.replace("p", "+")), int(number)
        except ValueError:
            return None
        return cls(found, place) if found.tzinfo is not None and 0 <= place <= MAX_ID else None
