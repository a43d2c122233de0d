"""`--fresh`: forget what earlier runs left, and nothing else."""

import shutil
from pathlib import Path

from nudgepay.config.environment import process_environment

LEFT_BEHIND = ("postgres", "outbox")


def forget() -> None:
    """Remove the demo's database, letters and Stripe memory under NUDGEPAY_HOME."""
    home = Path(process_environment().get("NUDGEPAY_HOME", "var"))
    for name in LEFT_BEHIND:
        shutil.rmtree(home / name, ignore_errors=True)
    (home / "demo-stripe.json").unlink(missing_ok=True)
