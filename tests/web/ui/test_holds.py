"""A hold is shown before it is saved: the letters that it would change, for exactly what is saved then."""

import re
from datetime import date, timedelta

import pytest
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.nudges.disputes import open_dispute
from nudgepay.nudges.preview import foresee, span_ahead
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.books import client_of
from web.ui.desk import Desk
from web.ui.invoice_books import an_invoice, form_of, look, one, words

TODAY = clock.now().date()


@pytest.fixture
def ahead(runtime: Runtime) -> int:
    """An invoice that comes due in ten days: four letters lie ahead."""
    return an_invoice(runtime, late=-10)


def coming(runtime: Runtime) -> dict[str, list[str]]:
    """By invoice, the steps of the letters that would go within 60 days if nobody did anything: the calendar decides
    which of the four there are."""
    found: dict[str, list[str]] = {}
    with runtime.db.transaction() as session:
        span = span_ahead(session, runtime.settings, now=clock.now(), days=60)
        for line in foresee(session, span):
            if line.decision.action == "send":
                found.setdefault(line.invoice, []).append(line.decision.step)
    return found


def moved(page: str, kind: str) -> list[str]:
    """The steps of the letters that go (`del`) or come (`ins`)."""
    items = re.findall(r'<li><span class="chip">([^<]+)</span>(.*?)</li>', page, re.DOTALL)
    return [step for step, item in items if f"<{kind} " in item]


def test_a_pause_is_saved_only_as_it_was_shown(desk: Desk, ahead: int) -> None:
    path = f"/invoices/{ahead}/pause"
    letters = coming(desk.runtime)["A-1"]
    form = form_of(desk.get(path).text, path)
    far = (TODAY + timedelta(days=30)).isoformat()
    other = desk.post(path, {**form, "until": far})
    assert other.status_code == 200
    assert "Nothing is paused yet" in words(other.text)
    assert moved(other.text, "del") == letters
    assert moved(other.text, "ins") == ["+7"]  # the latest step goes when the pause is over
    assert look(desk.runtime, ahead).paused_until is None
    saved = desk.post(path, {**form_of(other.text, path), "until": far})
    assert "Paused through" in desk.told(saved)
    assert look(desk.runtime, ahead).paused_until == date.fromisoformat(far)


def test_the_effect_follows_what_is_typed_and_a_day_that_cannot_be_has_none(desk: Desk, ahead: int) -> None:
    path = f"/invoices/{ahead}/pause"
    form = form_of(desk.get(path).text, path)
    letters = coming(desk.runtime)["A-1"]
    endless = desk.post(f"{path}/preview", {**form, "until": ""}).text
    assert moved(endless, "del") == letters
    assert moved(endless, "ins") == []
    wrong = desk.post(f"{path}/preview", {**form, "until": "2001-01-01"}).text
    assert moved(wrong, "del") == []
    assert form_of(wrong, path)["shown"] not in {"", "2001-01-01"}
    assert desk.post(path, {**form_of(wrong, path), "until": ""}).status_code == 200  # not what was shown
    assert look(desk.runtime, ahead).paused_until is None


def test_the_switch_shows_what_goes_and_what_comes_back(desk: Desk, ahead: int) -> None:
    path = f"/invoices/{ahead}/reminders"
    page = desk.get(f"/invoices/{ahead}").text
    assert f'href="{path}"' in page
    letters = coming(desk.runtime)["A-1"]
    assert letters[-1] == "+7"
    asked = desk.get(path).text
    assert moved(asked, "del") == letters
    assert look(desk.runtime, ahead).reminders_off_at is None
    assert "Reminders are off." in desk.told(desk.post(path, form_of(asked, path)))
    asked = desk.get(path).text
    assert moved(asked, "ins") == letters
    assert "Reminders are on." in desk.told(desk.post(path, form_of(asked, path)))


def test_a_dispute_shows_what_is_still_asked_for_and_counts_what_the_payer_contests(desk: Desk, ahead: int) -> None:
    path = f"/invoices/{ahead}/disputes"
    asked = desk.get(f"{path}/new").text
    assert moved(asked, "del") == coming(desk.runtime)["A-1"]
    assert "Until it is settled, nothing is asked for." in words(asked)
    part = desk.post(path, {**form_of(asked, path), "amount": "30"})
    assert part.status_code == 200
    assert "letters ask for €70.00." in words(part.text)
    assert moved(part.text, "del") == []
    assert one(desk.runtime, "SELECT count(*) FROM disputes") == 0
    with desk.runtime.db.transaction() as session:
        open_dispute(session, invoice_id=ahead, amount=2_000, now=clock.now(), actor="payer", source="page")
    assert "letters ask for €50.00." in words(desk.post(f"{path}/preview", {"amount": "30"}).text)
    form = form_of(desk.post(f"{path}/preview", {"amount": "30"}).text, path)
    assert desk.post(path, {**form, "amount": "30", "message": "Too much"}).status_code == 303
    assert one(desk.runtime, "SELECT sum(amount) FROM disputes") == 5_000


def test_a_client_is_paused_and_switched_off_after_a_look_at_all_its_invoices(desk: Desk, ahead: int) -> None:
    runtime = desk.runtime
    client_id = look(runtime, ahead).client_id
    an_invoice(runtime, "A-2", client_id=client_id, late=-40)
    path = f"/clients/{client_id}"
    page = desk.get(path).text
    assert f'href="{path}/pause"' in page
    assert f'href="{path}/reminders"' in page
    asked = desk.get(f"{path}/reminders").text
    assert {"A-1", "A-2"} <= set(words(asked).split())
    letters = coming(runtime)
    assert moved(asked, "del") == letters["A-1"] + letters["A-2"]
    desk.told(desk.post(f"{path}/reminders/off", form_of(asked, f"{path}/reminders/off")))
    assert client_of(runtime, client_id).reminders_off_at is not None
    desk.told(desk.post(f"{path}/reminders", form_of(desk.get(f"{path}/reminders").text, f"{path}/reminders")))
    asked = desk.get(f"{path}/pause").text
    form = form_of(asked, f"{path}/pause")
    far = (TODAY + timedelta(days=30)).isoformat()
    assert desk.post(f"{path}/pause", {**form, "until": "2001-01-01"}).status_code == 422
    other = desk.post(f"{path}/pause", {**form, "until": far})
    assert other.status_code == 200
    assert "+7" in moved(other.text, "ins")
    assert client_of(runtime, client_id).paused_until is None
    desk.told(desk.post(f"{path}/pause", {**form_of(other.text, f"{path}/pause"), "until": far}))
    assert client_of(runtime, client_id).paused_until == date.fromisoformat(far)


def test_who_may_not_hold_sees_no_preview(runtime: Runtime, ahead: int) -> None:
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        viewer = Desk(client, runtime, Role.VIEWER)
        for path in (f"/invoices/{ahead}", f"/clients/{look(runtime, ahead).client_id}"):
            assert viewer.get(f"{path}/reminders").status_code == 403
            assert viewer.get(f"{path}/pause").status_code == 403
            assert viewer.post(f"{path}/pause/preview").status_code == 403
            assert f'href="{path}/reminders"' not in viewer.get(path).text
