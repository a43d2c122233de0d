"""How many examples Hypothesis draws: few in every run, many where proof is asked for."""

import os

from hypothesis import HealthCheck, settings

PROOF = os.environ.get("NUDGEPAY_PROOF") == "1"
TIMES = 20


def examples(few: int, *, steps: int = 50) -> settings:
    """Settings for `few` examples in a usual run; fixtures may be shared by all examples of a test."""
    return settings(
        max_examples=few * TIMES if PROOF else few,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
