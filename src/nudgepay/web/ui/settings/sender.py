"""`/settings/sender`: do receivers believe that our letters are ours? Asked only when a person wants to know."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.readiness.checking import begin_check, carry_out_check, last_check
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.settings.business import show_setting
from nudgepay.web.ui.settings.finding_words import ABOUT, VERDICTS, sentence
from nudgepay.web.ui.settings.words import TABS

router = APIRouter()
SettingsPage = Annotated[Page, allowed(Permission.SETTING_READ)]
CheckPage = Annotated[Page, allowed(Permission.JOB_RUN)]
PREFIXES = ("sender.", "bounces")
THERE = ("sender.relay", "sender.receipts", "sender.spf", "sender.dkim", "sender.dmarc", "sender.way_back", "bounces")
"""What a look will come to, in its order; without a relay the four of DNS are one."""
NAMES = ("mail_transport", "from_email", "reply_to", "smtp_host", "smtp_security", "smtp_password", "dns_servers")
BACK = ("/settings/sender", "/settings/stripe", "/settings/first-steps")


@router.get("/settings/sender", response_class=HTMLResponse)
def sender(page: SettingsPage, session: ReadSessionDep) -> Response:
    """What the last look found, and how old it is. Nobody outside is asked."""
    check = last_check(session, now=page.now)
    findings = check.about(*PREFIXES)
    settings = page.runtime.settings
    expected = (
        THERE if settings.mail_transport == "smtp" else ("sender.relay", "sender.receipts", "sender.dns", "bounces")
    )
    seen = {one["name"] for one in findings}
    return page.show(
        "settings/sender.html",
        tabs=TABS,
        check=check,
        findings=findings,
        coming=[name for name in expected if name not in seen] if check.progress == "running" else [],
        about=ABOUT,
        verdicts=VERDICTS,
        sentence=lambda recorded: sentence(page, recorded),
        settings=[show_setting(settings, name) for name in NAMES],
    )


@router.post("/settings/check")
def check_now(page: CheckPage, back: Annotated[str, Form(max_length=40)] = BACK[0]) -> Response:
    """Begin a look at the relay, DNS, the mailbox of bounces and Stripe; it goes on after this answer."""
    target = back if back in BACK else BACK[0]
    runtime = page.runtime
    with runtime.db.transaction() as session:
        entry_id = begin_check(session, now=page.now, actor=page.actor)
    if entry_id is None:
        return page.go(target, told=page.gettext("Somebody is looking already; what is found appears here."))
    response = page.go(target)
    response.background = BackgroundTask(carry_out_check, runtime, entry_id)
    return response
