"""What is wrong with a configuration: the setting's name, the trouble, the cure. Never a value."""

from collections.abc import Sequence
from dataclasses import dataclass

from nudgepay.errors import UsageError


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One finding about one setting (its environment name)."""

    setting: str
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}. {self.cure}"


class SettingsValidationError(UsageError):
    """Every problem of a configuration at once, in `problems`."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        """`problems` in the order of the policy."""
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the configuration:\n{lines}")
