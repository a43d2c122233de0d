"""How long the command line and the web process take to be there, against importing what they are built on.

    python bench/start.py [--repetitions 9]

Ratios of medians of interleaved repetitions in one run; the limit is `python -c "import fastapi, sqlalchemy"`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from figures import ratio, write

COMMANDS = {
    "limit": [sys.executable, "-c", "import fastapi, sqlalchemy"],
    "version": [str(Path(sys.executable).with_name("nudgepay")), "--version"],
    "web": [sys.executable, "-c", "import nudgepay.web.serving"],
}
MUSTS = {"version": 0.3, "web": 1.5}


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.repetitions):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
    ratios = {name: ratio(times[name], times["limit"]) for name in MUSTS}
    write(
        "bench-start",
        {
            "what": "median seconds over those of importing fastapi and sqlalchemy",
            "n": options.repetitions,
            "seed": None,
            "musts": MUSTS,
            "ratios": ratios,
            "seconds_for_information": {
                name: [round(value, 3) for value in values] for name, values in times.items()
            },
        },
    )
    missed = [name for name, most in MUSTS.items() if ratios[name] > most]
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
