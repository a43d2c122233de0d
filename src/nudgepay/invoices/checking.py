"""The fields of a form, checked all together: every one that is wrong is named, not only the first."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from nudgepay.errors import UsageError
from nudgepay.invoices.validation import FieldError

T = TypeVar("T")


class FieldErrors(UsageError):
    """Several fields hold what they may not."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        """At least one."""
        self.errors = tuple(errors)
        super().__init__("; ".join(str(error) for error in errors))


class Fields:
    """Collects what is wrong; `ensure` raises all of it."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.errors: list[FieldError] = []

    def take(self, check: Callable[[], T], instead: T) -> T:
        """The checked value, or `instead` when it is refused."""
        try:
            return check()
        except FieldError as error:
            self.errors.append(error)
            return instead

    def ensure(self) -> None:
        """Raises FieldErrors when anything was refused."""
        if self.errors:
            raise FieldErrors(self.errors)
