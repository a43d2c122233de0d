"""Two scanners of others against our own pages: wapiti and sqlmap, signed in and as a stranger.

    python scripts/scanners.py [--minutes 10]

Starts its own database and pages, all on this machine, and forgets them afterwards. A page with holes is scanned
first: where a scanner misses those, its silence about ours would prove nothing. Writes docs/evidence/scanners.json;
ends with 1 when a scanner names a hole of ours or misses a planted one, and with 2 when a scanner is not installed.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from figures import write  # noqa: E402
from screenshots import free_port  # noqa: E402
from sqlalchemy import text  # noqa: E402

from browser.test_every_page import pages  # noqa: E402
from nudgepay.cli.demo.stage import Stage, set_up  # noqa: E402
from nudgepay.invoices.models import Invoice  # noqa: E402
from nudgepay.runtime import Runtime  # noqa: E402
from nudgepay.web.ui.cookies import Cookies  # noqa: E402
from web.ui.desk import signed_in_as  # noqa: E402
from web.ui.lived_in import live_in  # noqa: E402

MODULES = "xss,permanentxss,sql,blindsql,exec,file,crlf,redirect,xxe,htaccess,methods,csp,http_headers,cookieflags"
SEARCHES = (
    "/invoices?q=2026&sort=due&direction=asc",
    "/clients?q=Bergmann&sort=name",
    "/letters?state=accepted&to=klara",
    "/plan?view=list&client=Verne",
    "/search?q=2026-101",
    "/payments?currency=EUR",
    "/insights?currency=EUR",
    "/operations/ledger?kind=job&outcome=done",
    "/tasks?kind=dispute",
)
"""Pages with words from outside in their query, for sqlmap."""
NO_HOLES = frozenset({"Secure Flag cookie"})
"""Said of every installation that is not served over https, as this one on loopback."""


class Holes(BaseHTTPRequestHandler):
    """What a scanner must find: an echo of markup, and the words of a database about a broken statement."""

    def do_GET(self) -> None:
        given = parse_qs(urlsplit(self.path).query)
        word = given.get("q", [""])[0]
        number = given.get("id", [""])[0]
        body = f"<html><body><a href='/?q=a'>q</a> <a href='/?id=1'>id</a> {word}"
        if number and not number.isdigit():
            body += "PostgreSQL query failed: ERROR: unterminated quoted string at or near " + number
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write((body + "</body></html>").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody wants to know."""


def main() -> int:
    """Scan the planted holes, then our pages; write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=10, help="at most so long for each scan")
    seconds = parser.parse_args().minutes * 60
    missing = [name for name in ("wapiti", "sqlmap") if shutil.which(name) is None]
    if missing:
        print(f"not installed: {', '.join(missing)} (Debian has both)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="np-scan-", ignore_cleanup_errors=True) as home, planted() as holes:
        os.environ["NUDGEPAY_HOME"] = home
        scratch = Path(home)
        control = {
            "wapiti": wapiti(holes, ["/?q=a", "/?id=1"], scratch / "w0", seconds=seconds),
            "sqlmap": sqlmap(holes, ["/?id=1"], scratch / "s0", seconds=seconds),
        }
        with set_up(port=free_port()) as stage:
            live_in(stage.runtime)
            figures = scan(stage, scratch, seconds)
    is_honest = "Cross Site Scripting" in control["wapiti"] and "SQL Injection" in control["wapiti"]
    ours = {name: dict(found) for name, found in figures["found"].items()}
    write("scanners", {"planted": {name: dict(found) for name, found in control.items()}, **figures, "found": ours})
    return 0 if is_honest and not any(ours.values()) else 1


def scan(stage: Stage, scratch: Path, seconds: int) -> dict[str, object]:
    """Every page, signed in and signed out; every query, by sqlmap."""
    name = Cookies.of(stage.runtime.settings).name("session")
    with stage.runtime.db.transaction() as session:
        tokens = [one.token for one in session.query(Invoice).limit(2)]
    inside = sorted(path for path in pages(stage.runtime) if "/account" not in path)
    outside = ["/login", *(f"/p/{token}?lang=en" for token in tokens)]
    strange = wapiti(stage.url, outside, scratch / "w1", seconds=seconds)
    with staying_signed_in(stage.runtime) as token:
        known = wapiti(stage.url, inside, scratch / "w2", seconds=seconds, cookie=f"{name}={token}")
        injected = sqlmap(stage.url, list(SEARCHES), scratch / "s1", seconds=seconds, cookie=f"{name}={token}")
    return {
        "pages_signed_in": len(inside),
        "pages_of_strangers": len(outside),
        "queries": len(SEARCHES),
        "modules": MODULES.split(","),
        "found": {"wapiti, signed in": known, "wapiti, a stranger": strange, "sqlmap": injected},
    }


@contextmanager
def staying_signed_in(runtime: Runtime) -> Iterator[str]:
    """A session that comes back whenever the scanner presses "Sign out" or changes its own operator."""
    token = signed_in_as(runtime, email="scan@desk.example")
    over = threading.Event()
    given = {"hash": hashlib.sha256(token.encode()).digest()}
    with runtime.db.transaction() as session:
        given["operator"] = session.execute(
            text("SELECT operator_id FROM sessions WHERE token_hash = :hash"), given
        ).scalar_one()

    def restore() -> None:
        while not over.wait(0.5):
            with runtime.db.transaction() as session:
                session.execute(text(_WORKING), given)
                session.execute(text(_SIGNED_IN), given)

    thread = threading.Thread(target=restore, daemon=True)
    thread.start()
    yield token
    over.set()
    thread.join()


_WHOSE = "SELECT operator_id FROM sessions WHERE token_hash = :hash"
_WORKING = "UPDATE operators SET disabled_at = NULL, role = 'superadmin' WHERE id = :operator"
_SIGNED_IN = """
INSERT INTO sessions (token_hash, operator_id, ends_at) VALUES (:hash, :operator, now() + interval '1 hour')
    ON CONFLICT (token_hash) DO UPDATE SET ends_at = excluded.ends_at, seen_at = now()
"""


def wapiti(url: str, paths: list[str], scratch: Path, *, seconds: int, cookie: str = "") -> Counter[str]:
    """What wapiti names, and how often."""
    report = scratch.with_suffix(".json")
    command = ["wapiti", "-u", f"{url}/", "-m", MODULES, "--scope", "folder", "-d", "1", "-t", "10"]
    command += ["--max-scan-time", str(seconds), "--max-attack-time", str(seconds // 4), "--no-bugreport", "-v", "0"]
    command += ["--flush-session", "--store-session", str(scratch), "--store-config", str(scratch)]
    command += ["-f", "json", "-o", str(report)]
    for path in paths:
        command += ["-s", url + path]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    subprocess.run(command, check=False, timeout=seconds * 6, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = json.loads(report.read_text())["vulnerabilities"]
    return Counter({kind: len(cases) for kind, cases in found.items() if cases and kind not in NO_HOLES})


def sqlmap(url: str, paths: list[str], scratch: Path, *, seconds: int, cookie: str = "") -> Counter[str]:
    """The parameters that sqlmap calls injectable."""
    scratch.mkdir()
    targets, results = scratch / "targets.txt", scratch / "results.csv"
    targets.write_text("".join(f"{url}{path}\n" for path in paths))
    command = ["sqlmap", "-m", str(targets), "--batch", "--level", "2", "--risk", "1", "--dbms", "PostgreSQL"]
    command += ["--timeout", "10", "--retries", "1", "--time-sec", "2", "--output-dir", str(scratch / "out")]
    command += ["--results-file", str(results), "--disable-coloring", "--flush-session"]
    if cookie:
        command += ["--cookie", cookie]
    subprocess.run(command, check=False, timeout=seconds * 6, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = list(csv.DictReader(results.open())) if results.exists() else []
    return Counter(
        f"{urlsplit(row['Target URL']).path} {row['Parameter']}" for row in rows if row.get("Technique(s)")
    )


@contextmanager
def planted() -> Iterator[str]:
    """The page with holes, on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Holes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
