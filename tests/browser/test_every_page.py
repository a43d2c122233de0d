"""Every page of the operators, in a real browser: accessible, nothing overlaps or scrolls sideways, nothing complains."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser
from sqlalchemy import text

from browser.conftest import Shop, visiting
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.public import PUBLIC
from nudgepay.web.ui.cookies import Cookies
from web.ui.desk import signed_in_as
from web.ui.lived_in import live_in

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")
EXAMPLES = {
    "invoice_id": "SELECT id FROM invoices WHERE amount_paid > 0 ORDER BY id LIMIT 1",
    "client_id": "SELECT client_id FROM letters ORDER BY sending_at LIMIT 1",
    "letter_id": "SELECT id FROM letters WHERE state = 'unknown'",
    "run_id": "SELECT id FROM runs ORDER BY id LIMIT 1",
    "name": "SELECT 'default'",
    "job": "SELECT 'nudge_pass'",
}
"""One that exists, for each name that a path may hold."""
NOT_PAGES = re.compile(
    r"/(raw|html|text|results|preview|rows|export|download)\b|\.(csv|xlsx|eml|pdf)$|^/session/|^/search/results"
)


def pages(runtime: Runtime) -> Iterator[str]:
    """The path of every page that an operator can open, with an example for each of its parts."""
    with runtime.db.transaction() as session:
        examples = {name: str(session.scalar(text(query))) for name, query in EXAMPLES.items()}
    for context in iter_route_contexts(create_app(runtime).app.router.routes):
        path = getattr(context, "path", None)
        if path and path not in PUBLIC and "GET" in (context.methods or ()) and not NOT_PAGES.search(path):
            yield path.format(**examples)


@pytest.mark.timeout(600)
def test_every_page_is_accessible_and_fits_in_light_and_dark_and_at_every_width(browser: Browser, shop: Shop) -> None:
    live_in(shop.runtime)
    cookie = {"name": Cookies.of(shop.runtime.settings).name("session"), "value": signed_in_as(shop.runtime)}
    paths = sorted({"/login", *pages(shop.runtime)})
    wrong: list[str] = []
    for scheme in SCHEMES:
        with visiting(browser, scheme=scheme) as one:
            one.context.add_cookies([{**cookie, "url": shop.url}])
            for path in paths:
                answer = one.page.goto(shop.url + path)
                assert answer is not None
                if answer.status != 200:
                    wrong.append(f"{path}: {answer.status}")
                    continue
                found = Axe().run(one.page).response["violations"]
                wrong += [f"{path} {scheme}: {each['id']} {each['nodes'][0]['html'][:200]}" for each in found]
                if scheme == "light":
                    wrong += [
                        f"{path} at {width}: {over} px too wide" for width, over in widths(one.page) if over > 0
                    ]
                if one.page.evaluate("window.shifted") > 0.02:
                    wrong.append(f"{path} {scheme}: shifts")
            wrong += [f"{scheme}: {said}" for said in one.complaints]
    assert wrong == []
    assert len(paths) >= 15


def widths(page) -> Iterator[tuple[int, int]]:  # type: ignore[no-untyped-def]
    """By how many pixels the page is wider than each window."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        yield width, page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
