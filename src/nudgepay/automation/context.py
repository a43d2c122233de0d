"""What a job is given: the runtime, the instant, who runs it, and whether it should stop early."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from nudgepay.runtime import Runtime


@dataclass(frozen=True, slots=True)
class JobContext:
    """`now` is business time (UTC), read once for the whole run."""

    runtime: Runtime
    now: datetime
    actor: str
    should_stop: Callable[[], bool] = lambda: False
