"""How long the command line and the web process take to be there, against importing what they are built on.

    python bench/start.py [--repetitions 9]

`version`: from starting `nudgepay --version` to its end. `web`: from starting `nudgepay serve` over a migrated
PostgreSQL to the first 200 of `/livez`: the process listens, is alive and takes requests, which wait until the
application behind it is loaded. `ready`: from the same start to the first 200 of `/readyz`, when the application
answers them and has looked at the database; for information, without a must. The settings that it is judged by
are an environment of its own, and METRICS_PORT is 0.

Ratios of medians of interleaved repetitions in one run; the limit is `python -c "import fastapi, sqlalchemy"`.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import ratio, write

from nudgepay import embedded
from nudgepay.db import Database
from nudgepay.schema_lifecycle.migrate import migrate

NUDGEPAY = str(Path(sys.executable).with_name("nudgepay"))
COMMANDS = {
    "limit": [sys.executable, "-c", "import fastapi, sqlalchemy"],
    "version": [NUDGEPAY, "--version"],
}
SIGNS = {"web": "/livez", "ready": "/readyz"}
MUSTS = {"version": 0.3, "web": 1.5}
PAUSE_SECONDS = 0.002
PATIENCE_SECONDS = 60


def serve(url: str, home: str) -> dict[str, float]:
    """Seconds from the start of one web process to alive, and to ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": url,
        "NUDGEPAY_HOME": home,
        "METRICS_PORT": "0",
    }
    began = time.perf_counter()
    process = subprocess.Popen([NUDGEPAY, "serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        return {
            name: answered(process, port, path) - began for name, path in (("web", "/livez"), ("ready", "/readyz"))
        }
    finally:
        process.terminate()
        process.wait(15)


def answered(process: "subprocess.Popen[bytes]", port: int, path: str) -> float:
    """The moment of the first 200."""
    until = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < until and process.poll() is None:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            asking.request("GET", path)
            if asking.getresponse().status == 200:
                return time.perf_counter()
        except OSError:
            pass
        finally:
            asking.close()
        time.sleep(PAUSE_SECONDS)
    raise SystemExit(f"the web process never answered {path} with 200")


def measure(repetitions: int, url: str, home: str) -> dict[str, list[float]]:
    """Seconds by name, interleaved."""
    times: dict[str, list[float]] = {name: [] for name in (*COMMANDS, "web", "ready")}
    for _ in range(repetitions):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - began)
        for name, seconds in serve(url, home).items():
            times[name].append(seconds)
    return times


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        _, url = embedded.start_database(Path(home), "bench")
        db = Database(url)
        migrate(db)
        db.close()
        times = measure(options.repetitions, url, home)
    ratios = {name: ratio(times[name], times["limit"]) for name in ("version", "web", "ready")}
    write(
        "bench-start",
        {
            "what": "median seconds over those of importing fastapi and sqlalchemy; web: until /livez answers 200,"
            " ready: until /readyz does (for information)",
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
