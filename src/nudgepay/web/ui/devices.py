"""A browser's words for itself as people know it: `Firefox on Linux`."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nudgepay.web.ui.page import Page

BROWSERS = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrome/|CriOS/|Chromium/", "Chrome"),
    (r"Safari/", "Safari"),
    (r"^curl/", "curl"),
)
SYSTEMS = (
    (r"iPhone|iPod", "iPhone"),
    (r"iPad", "iPad"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"CrOS", "ChromeOS"),
    (r"Linux", "Linux"),
)


def device_words(page: "Page", user_agent: str | None) -> str:
    """Never more than we understood: it is written by whoever asks."""
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if browser and system:
        return page.gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or page.gettext("An unknown device")


def _first(known: tuple[tuple[str, str], ...], user_agent: str | None) -> str:
    return next((name for pattern, name in known if re.search(pattern, user_agent or "")), "")
