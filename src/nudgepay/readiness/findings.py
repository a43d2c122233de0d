"""One finding: what was looked at, what was found, and the cure. "Could not look" is never good."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nudgepay.sentences import Said

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

    def record(self) -> dict[str, Any]:
        """For the ledger: with the templates and values, so that pages can say it in another language."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "found": _recorded(self.found),
            "cure": _recorded(self.cure),
        }


def _recorded(sentence: str) -> dict[str, Any]:
    if not isinstance(sentence, Said):
        return {"text": sentence, "values": {}}
    values = {
        name: value if isinstance(value, int | float) else str(value) for name, value in sentence.values.items()
    }
    return {"text": sentence.template, "values": values}


def is_healthy(findings: Iterable[Finding]) -> bool:
    """True when nothing failed; a warning or a thing that could not be looked at is said, and no failure."""
    return all(finding.verdict != "failed" for finding in findings)
