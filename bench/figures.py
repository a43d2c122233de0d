"""Where figures go: one JSON file for each benchmark, with commit, date, n and seed."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]


def ratio(ours: list[float], limit: list[float]) -> float:
    """Median of ours over the median of the limit, both measured in this run."""
    return round(median(ours) / median(limit), 3)


def write(name: str, figures: dict[str, Any]) -> None:
    """Write docs/evidence/NAME.json and print it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    document = {
        "benchmark": name,
        "commit": commit.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        **figures,
    }
    (ROOT / "docs" / "evidence" / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))
