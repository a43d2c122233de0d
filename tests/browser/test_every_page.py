"""Every page of the operators, in a real browser: accessible, nothing overlaps or scrolls sideways, nothing complains."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser
from sqlalchemy import text

from browser.conftest import Shop, visiting
from browser.looks import WIDTHS, looked_at
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.public import PUBLIC
from nudgepay.web.ui.cookies import Cookies
from web.ui.desk import signed_in_as
from web.ui.lived_in import live_in

VARIANTS = (
    "/invoices?currency=EUR&status=all&q=k",
    "/invoices?q=nothing",
    "/plan?view=list&action=all",
    "/plan?view=silence",
)
"""The same pages with another body."""
EXAMPLES = {
    "invoice_id": "SELECT r.invoice_id FROM reminders r JOIN invoices i ON i.id = r.invoice_id"
    " WHERE r.letter_id IS NOT NULL AND i.status = 'open' ORDER BY i.next_at, i.id LIMIT 1",
    "client_id": "SELECT client_id FROM invoices WHERE status = 'open' ORDER BY next_at, id LIMIT 1",
    "contact_id": "SELECT min(id) FROM contacts WHERE client_id ="
    " (SELECT client_id FROM invoices WHERE status = 'open' ORDER BY next_at, id LIMIT 1)",
    "letter_id": "SELECT id FROM letters WHERE state = 'unknown'",
    "run_id": "SELECT id FROM runs ORDER BY id LIMIT 1",
    "name": "SELECT 'default'",
    "version": "SELECT 1",
    "job": "SELECT 'nudge_pass'",
    "how": "SELECT 'void'",
    "statement_id": "SELECT min(id) FROM bank_statements",
    "line_id": "SELECT min(id) FROM bank_lines WHERE state = 'waiting'",
    "template": "SELECT 'overdue'",
    "language": "SELECT 'de'",
    "operator_id": "SELECT min(id) FROM operators",
    "approval_id": "INSERT INTO approvals (kind, act, params, digest, reason, state, asked_by, expires_at, alone)"
    " SELECT 'single', 'operator.grant_superadmin', jsonb_build_object('operator', min(id)), gen_random_uuid()::text,"
    " 'She takes over in December', 'waiting', min(id), now() + interval '1 hour', false FROM operators RETURNING id",
    "token_id": "INSERT INTO service_tokens (prefix, secret_hash, pepper_id, name, scopes, created_by, expires_at)"
    " SELECT left(md5(random()::text), 10), 'x', 'none', 'Nightly copy', '[\"books:export\"]', min(id),"
    " now() + interval '90 days' FROM operators RETURNING id",
}
"""One that exists, for each name that a path may hold."""
OF_A_MOMENT = frozenset(
    {
        "/import/{upload_id}",
        "/import/{upload_id}/columns",
        "/payments/statements/files/{upload_id}",
        "/payments/statements/files/{upload_id}/columns",
        "/clients/{client_id}/contacts/{contact_id}/blocks",
        "/invoices/{invoice_id:int}/letters/{letter_id}",
        "/invoices/{invoice_id:int}/payments/{fact_id:int}/undo",
        "/invoices/{invoice_id:int}/readings/{reminder_id:int}",
        "/invoices/{invoice_id:int}/release",
        "/invoices/bulk/{entry_id:int}",
        "/schedules/closing-days/open",
        "/schedules/{name}/versions/{version}/restore",
        "/templates/{template}/{language}/letter",
        "/templates/{template}/{language}/invoices",
    }
)
"""Pages that are there only while something is under way, and parts of pages: their own rooms' tests look at them."""
NOT_PAGES = re.compile(
    r"/(raw|html|text|results|preview|rows|export|download)\b|\.(csv|xlsx|eml|pdf)$|^/session/|^/search/results"
)


def pages(runtime: Runtime) -> Iterator[str]:
    """The path of every page that an operator can open, with an example for each of its parts."""
    with runtime.db.transaction() as session:
        examples = {name: str(session.scalar(text(query))) for name, query in EXAMPLES.items()}
    for context in iter_route_contexts(create_app(runtime).app.router.routes):
        path = getattr(context, "path", None)
        if (
            path
            and path not in PUBLIC | OF_A_MOMENT
            and "GET" in (context.methods or ())
            and not NOT_PAGES.search(path)
        ):
            yield re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: examples[found[1]], path)


@pytest.mark.timeout(600)
def test_every_page_is_accessible_and_fits_in_light_and_dark_and_at_every_width(browser: Browser, shop: Shop) -> None:
    live_in(shop.runtime)
    cookie = {"name": Cookies.of(shop.runtime.settings).name("session"), "value": signed_in_as(shop.runtime)}
    paths = sorted({"/login", *pages(shop.runtime), *VARIANTS})
    wrong: list[str] = []
    with visiting(browser) as one:
        one.context.add_cookies([{**cookie, "url": shop.url}])
        for path in paths:
            answer = one.page.goto(shop.url + path)
            assert answer is not None
            wrong += looked_at(one.page, path, widths=WIDTHS) if answer.ok else [f"{path}: {answer.status}"]
        wrong += one.complaints
    assert not wrong, "\n".join(wrong)
    assert len(paths) >= 50
