"""One finding: what was looked at, what was found, and the cure. "Could not look" is never good."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "failed", "not_checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is stable, for scripts; `cure` is empty when nothing is to be done. Never holds a secret."""

    name: str
    verdict: Verdict
    found: str
    cure: str = ""

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """True when nothing failed; a warning or a thing that could not be looked at is said, and no failure."""
    return all(finding.verdict != "failed" for finding in findings)
