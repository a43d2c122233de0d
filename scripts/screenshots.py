"""Pictures of every page over lived-in books, for looking at: docs/screenshots/{desktop,dark,phone}/NAME.png.

    python scripts/screenshots.py [--only invoices] [--out docs/screenshots]

Starts its own database, pages and browser, all on this machine, and forgets them afterwards.
"""

import argparse
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from browser.conftest import FLAGS  # noqa: E402
from browser.test_every_page import pages  # noqa: E402
from nudgepay.cli.demo.stage import Stage, set_up  # noqa: E402
from nudgepay.runtime import Runtime  # noqa: E402
from nudgepay.web.ui.cookies import Cookies  # noqa: E402
from web.ui.desk import signed_in_as  # noqa: E402
from web.ui.lived_in import live_in  # noqa: E402

LOOKS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
}
LONGEST = 1300
"""Pixels of a page that are shown; a list goes on below."""


def main() -> int:
    """Take them all, or those whose name begins with `--only`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="np-shots-", ignore_cleanup_errors=True) as home:
        os.environ["NUDGEPAY_HOME"] = home
        with set_up(port=free_port()) as stage, sync_playwright() as playwright:
            live_in(stage.runtime)
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for look in LOOKS:
                _take(browser, stage, look, options)
            browser.close()
    return 0


def _take(browser: Browser, stage: Stage, look: str, options: argparse.Namespace) -> None:
    context = browser.new_context(**LOOKS[look], locale="en-GB", reduced_motion="reduce")
    name = Cookies.of(stage.runtime.settings).name("session")
    page = context.new_page()
    where = options.out / look
    where.mkdir(parents=True, exist_ok=True)
    signed_in = {"name": name, "value": signed_in_as(stage.runtime, email="olga@atelier.example"), "url": stage.url}
    for picture, path in _pictures(stage.runtime):
        if not picture.startswith(options.only):
            continue
        context.clear_cookies()
        if picture != "login":
            context.add_cookies([signed_in])
        page.goto(stage.url + path)
        height = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
        page.screenshot(
            path=where / f"{picture}.png",
            clip={"x": 0, "y": 0, "width": LOOKS[look]["viewport"]["width"], "height": height},
            full_page=True,
        )
        print(f"{look}/{picture}.png")
    context.close()


def _pictures(runtime: Runtime) -> Iterator[tuple[str, str]]:
    yield "login", "/login"
    for path in pages(runtime):
        words = [word for word in path.strip("/").split("/") if not re.search(r"\d", word)]
        yield ("-".join([*words, "one"] if len(words) < len(path.strip("/").split("/")) else words) or "today"), path


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
