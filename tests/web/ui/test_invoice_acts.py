"""What a person does on one invoice's page: each once, each shown first or taken back, each by name."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.books import reallocate
from nudgepay.payments.reviews import open_review
from nudgepay.runtime import Runtime
from nudges.books import pay
from web.ui.desk import Desk
from web.ui.invoice_books import an_invoice, form_of, look, one, run, send, sent, words

BY = {"accept": "application/json"}


def state_of(runtime: Runtime, invoice_id: int) -> tuple[str, str, int]:
    invoice = look(runtime, invoice_id)
    return invoice.status, invoice.money_state, invoice.amount_remaining


def nudge_form(desk: Desk, invoice_id: int) -> dict[str, str]:
    return form_of(desk.get(f"/invoices/{invoice_id}/nudges/new").text, f"/invoices/{invoice_id}/nudges")


def test_a_nudge_is_the_letter_that_was_shown(desk: Desk) -> None:
    client_id = look(desk.runtime, an_invoice(desk.runtime)).client_id
    an_invoice(desk.runtime, "A-2", client_id=client_id, late=30)
    preview = desk.get("/invoices/1/nudges/new").text
    assert sent(desk.runtime) == []
    shown = preview.partition('class="letter-text"')[2].partition(">")[2].partition("</pre>")[0]
    desk.post("/invoices/1/nudges", form_of(preview, "/invoices/1/nudges"))
    assert len(sent(desk.runtime)) == 1
    token, letter_id = one(desk.runtime, "SELECT token FROM letters"), one(desk.runtime, "SELECT id FROM letters")
    page = desk.get(f"/invoices/1/letters/{letter_id}").text
    left = page.partition('class="letter-text"')[2].partition(">")[2].partition("</pre>")[0]
    assert left.replace(token, "PREVIEW") == shown
    assert "A-1" in shown


def test_a_double_click_sends_one_letter(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    form = {**nudge_form(desk, invoice_id), "override_gap": "yes"}
    with ThreadPoolExecutor(2) as hands:
        answers = list(hands.map(lambda _: desk.post(f"/invoices/{invoice_id}/nudges", form), range(2)))
    answers.append(desk.post(f"/invoices/{invoice_id}/nudges", form))
    assert [answer.status_code for answer in answers] == [303] * 3
    assert len(sent(desk.runtime)) == 1
    assert one(desk.runtime, "SELECT count(*) FROM reminders") == 1
    assert "Sent to adaa-1@client.example." in desk.told(answers[2])


def test_a_person_written_to_lately_is_warned_of_and_overruling_that_is_on_record(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    path = f"/invoices/{invoice_id}/nudges"
    send(desk, f"{path}/new", path)
    warned = words(desk.get(f"{path}/new").text)
    assert "adaa-1@client.example had a letter a short while ago" in warned
    assert "Send anyway" in warned
    waits = desk.client.post(path, data={"_csrf_token": desk.csrf_token, "key": "k" * 8}, headers=BY).json()
    assert (waits["state"], waits["reason"]) == ("planned", "contact_gap")
    assert "A nudge by hand waits" in words(desk.get(f"/invoices/{invoice_id}").text)
    assert desk.post(f"{path}/{waits['id']}/cancel").status_code == 303
    assert desk.post(f"{path}/{waits['id']}/cancel").status_code == 409
    send(desk, f"{path}/new", path, override_gap="yes")
    assert len(sent(desk.runtime)) == 2
    assert one(desk.runtime, "SELECT gap_overridden_by FROM reminders WHERE state = 'accepted' ORDER BY id DESC LIMIT 1") == "operator:1"  # fmt: skip
    story = words(desk.get(f"/invoices/{invoice_id}").text)
    assert "although this person had a letter a short while ago" in story
    assert "A nudge was taken back" in story


def test_what_no_person_may_overrule_holds_a_nudge_and_is_explained(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    run(desk.runtime, "INSERT INTO suppressions (address, reason, source) SELECT email, 'bounced', 't' FROM contacts")
    preview = words(desk.get(f"/invoices/{invoice_id}/nudges/new").text)
    assert "No nudge can go now: The address does not exist" in preview
    assert "Open the client" in preview
    desk.post(f"/invoices/{invoice_id}/nudges", {"override_gap": "yes"})
    assert sent(desk.runtime) == []


def test_money_that_comes_after_the_preview_stops_the_nudge(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    form = nudge_form(desk, invoice_id)
    pay(desk.runtime.db, look(desk.runtime, invoice_id).client_id)
    lost = desk.post(f"/invoices/{invoice_id}/nudges", form)
    assert lost.status_code == 409
    assert "Payment of €100.00" in words(lost.text)
    unseen = desk.post(f"/invoices/{invoice_id}/nudges", {"key": "another-key"})
    assert unseen.status_code == 409
    assert "no longer open" in words(unseen.text)
    assert sent(desk.runtime) == []
    assert "nothing to ask for" in words(desk.get(f"/invoices/{invoice_id}/nudges/new").text)


def test_a_paused_installation_says_so_and_sends_nothing(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    run(desk.runtime, "INSERT INTO sending_switch (id, paused_at, changed_by) VALUES (1, now(), 'test')")
    answer = desk.post(f"/invoices/{invoice_id}/nudges")
    assert "Not sent yet: All sending is paused." in desk.told(answer)
    assert sent(desk.runtime) == []


def test_the_switch_and_the_pause_take_delete_and_a_form_that_stands_for_it(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}"
    scripted = {"X-CSRF-Token": desk.csrf_token, **BY}
    assert desk.client.delete(f"{path}/reminders").status_code == 403
    assert desk.client.delete(f"{path}/reminders", headers=scripted).json() == {"reminders": "off"}
    assert look(desk.runtime, 1).reminders_off_at is not None
    assert desk.client.post(f"{path}/reminders", headers=scripted).json() == {"reminders": "on"}
    assert desk.post(f"{path}/reminders", {"_method": "delete"}).status_code == 303
    assert look(desk.runtime, 1).reminders_off_at is not None
    day = clock.now().date() + timedelta(days=9)
    assert desk.post(f"{path}/pause", {"until": day.isoformat()}).status_code == 303
    assert look(desk.runtime, 1).paused_until == day
    assert desk.client.delete(f"{path}/pause", headers=scripted).json() == {"paused_until": None}
    assert look(desk.runtime, 1).paused_until is None
    assert desk.post(f"{path}/pause").status_code == 303
    assert desk.post(f"{path}/pause", {"_method": "DELETE"}).status_code == 303
    assert look(desk.runtime, 1).paused_until is None
    acts = one(
        desk.runtime, "SELECT count(*) FROM audit_events WHERE actor = 'operator:1' AND subject = 'invoices:1'"
    )
    assert acts == 7
    stale = {"version": "1", **scripted}
    assert desk.client.request("DELETE", f"{path}/reminders", data={"version": "1"}, headers=stale).status_code == 409


@pytest.mark.parametrize("until", ["2020-01-01", "tomorrow", "9999-12-31", "2026-13-01"])
def test_a_pause_that_cannot_be_meant_stays_in_its_form(desk: Desk, until: str) -> None:
    answer = desk.post(f"/invoices/{an_invoice(desk.runtime)}/pause", {"until": until})
    assert answer.status_code == 422
    assert f'value="{until}"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert look(desk.runtime, 1).paused_until is None


def test_a_payment_is_typed_as_one_writes_it_and_booked_once(desk: Desk) -> None:
    desk.post("/account", {"locale": "de"})
    path = f"/invoices/{an_invoice(desk.runtime, amount=200_000)}/payments"
    form = {**form_of(desk.get(f"{path}/new").text, path), "amount": "1.234,50", "note": "Überweisung"}
    answers = [desk.post(path, form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert state_of(desk.runtime, 1) == ("open", "partially_paid", 76_550)
    assert one(desk.runtime, "SELECT count(*) FROM money_facts") == 1
    other = desk.post(path, {**form, "amount": "1,00"})
    assert other.status_code == 409
    assert one(desk.runtime, "SELECT amount FROM money_facts") == 123_450
    for wrong in ("1,234.50", "abc", "-5", "0", "", "1e9", "٣"):
        again = desk.post(path, {"amount": wrong})
        assert again.status_code == 422, wrong
        assert one(desk.runtime, "SELECT count(*) FROM money_facts") == 1


def test_more_than_is_owed_is_warned_of_and_becomes_credit(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/payments"
    warned = send(desk, f"{path}/new", path, amount="150.00")
    assert warned.status_code == 422
    assert "€50.00 more than is owed" in words(warned.text)
    assert state_of(desk.runtime, 1)[0] == "open"
    other = desk.post(path, {**form_of(warned.text, path), "amount": "160"})
    assert "€60.00 more than is owed" in words(other.text)
    assert desk.post(path, {**form_of(other.text, path), "amount": "160"}).status_code == 303
    assert state_of(desk.runtime, 1) == ("paid", "overpaid", 0)
    assert "€100.00 of €160.00 count for this invoice" in words(desk.get("/invoices/1").text)
    assert one(desk.runtime, "SELECT kind FROM notices WHERE resolved_at IS NULL") == "payment.unapplied_credit"


def test_a_payment_is_taken_back_after_a_look_and_the_chase_goes_on(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/payments"
    send(desk, f"{path}/new", path, amount="100")
    assert "nothing more goes" in words(desk.get("/invoices/1").text)
    assert "Then €100.00 are left to pay" in words(desk.get(f"{path}/1/undo").text)
    send(desk, f"{path}/1/undo", f"{path}/1/undo")
    assert state_of(desk.runtime, 1) == ("open", "unpaid", 10_000)
    page = words(desk.get("/invoices/1").text)
    assert "goes to" in page
    assert "Taken back: €100.00" in page
    assert desk.post(f"{path}/1/undo").status_code == 409


def test_a_promise_is_noted_replaced_and_cancelled(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/promises"
    today = clock.now().date()
    stale = form_of(desk.get(f"{path}/new").text, path)
    for wrong in (
        {"day": "soon"},
        {"day": "2020-01-01"},
        {"day": "2099-01-01"},
        {"day": f"{today}", "amount": "999"},
    ):
        assert desk.post(path, {**stale, **wrong}).status_code == 422, wrong
    assert desk.post(path, {**stale, "day": f"{today + timedelta(days=40)}"}).status_code == 303
    assert "€100.00 promised by" in words(desk.get("/invoices/1").text)
    assert desk.post(path, {**stale, "day": f"{today + timedelta(days=2)}"}).status_code == 409
    send(desk, f"{path}/new", path, day=f"{today + timedelta(days=2)}", amount="40")
    assert one(desk.runtime, "SELECT string_agg(state, ' ' ORDER BY id) FROM promises") == "renegotiated pending"
    assert desk.post(f"{path}/2/cancel").status_code == 303
    assert desk.post(f"{path}/2/cancel").status_code == 409
    assert "goes to" in words(desk.get("/invoices/1").text)


def test_a_dispute_is_noted_and_settled_with_its_credit(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/disputes"
    assert desk.post(path, {"amount": "100.01"}).status_code == 422
    assert desk.post(path, {"message": "x" * 2001}).status_code == 422
    assert desk.post(path, {"amount": "30", "message": "Late"}).status_code == 303
    assert "It asks for €70.00." in words(desk.get("/invoices/1").text)
    assert desk.post(f"{path}/1/resolve", {"resolution": "maybe"}).status_code == 422
    send(desk, "/invoices/1", f"{path}/1/resolve", resolution="accepted", credit="yes")
    assert desk.post(f"{path}/1/resolve", {"resolution": "accepted", "credit": "yes"}).status_code == 409
    assert state_of(desk.runtime, 1) == ("open", "partially_paid", 7_000)
    assert "Credit of €30.00" in words(desk.get("/invoices/1").text)


@pytest.mark.parametrize(("how", "status", "paid"), [("void", "void", 0), ("write-off", "uncollectible", 2_500)])
def test_an_invoice_is_closed_after_a_look_and_opened_again(desk: Desk, how: str, status: str, paid: int) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}"
    desk.post(f"{path}/payments", {"amount": "25"})
    preview = words(desk.get(f"{path}/close/{how}").text)
    assert "€75.00 are claimed no more." in preview
    assert "does not go:" in preview
    assert "€25.00 that came" in preview
    send(desk, f"{path}/close/{how}", f"{path}/close/{how}")
    invoice = look(desk.runtime, 1)
    assert (invoice.status, invoice.amount_paid) == (status, paid)
    assert desk.post(f"{path}/close/{how}").status_code == 409
    assert desk.post(f"{path}/reopen").status_code == 303
    assert state_of(desk.runtime, 1) == ("open", "partially_paid", 7_500)
    assert desk.post(f"{path}/reopen").status_code == 409
    assert "goes to" in words(desk.get(path).text)


def test_a_doubt_about_its_money_is_settled_with_what_was_found(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    with desk.runtime.db.transaction() as session:
        open_review(session, invoice_ids=[invoice_id], reason="wrong_amount", source="t:1", details={})
        session.flush()
        reallocate(session, look(desk.runtime, invoice_id).client_id, now=clock.now())
    assert look(desk.runtime, 1).money_state == "needs_review"
    desk.post("/invoices/1/reviews/1", {"resolution": "  "})
    assert look(desk.runtime, 1).money_state == "needs_review"
    send(desk, "/invoices/1", "/invoices/1/reviews/1", resolution="Bank fees")
    assert look(desk.runtime, 1).money_state == "unpaid"
    assert "Bank fees" in words(desk.get("/invoices/1").text)


def test_a_letter_for_review_is_read_and_approved(desk: Desk) -> None:
    invoice_id, settings = an_invoice(desk.runtime), desk.runtime.settings
    run(desk.runtime, "UPDATE schedule_steps SET review = true")
    at = clock.now() + timedelta(minutes=1)
    given = {"terms": terms_of(settings), "environment": "test", "now": at, "actor": "test"}
    run_pass(desk.runtime.db, transport=desk.runtime.mail, receipts=desk.runtime.receipts, **given)
    reminder = one(desk.runtime, "SELECT id FROM reminders WHERE held_reason = 'review'")
    path = f"/invoices/{invoice_id}/readings/{reminder}"
    assert path in desk.get(f"/invoices/{invoice_id}").text
    send(desk, path, path)
    assert one(desk.runtime, "SELECT reviewed_by FROM reminders WHERE reviewed_at IS NOT NULL") == "operator:1"
    assert desk.get(path).status_code == 409
    assert desk.post(path).status_code == 409


def test_an_imported_overdue_invoice_is_released_after_a_look_by_who_may(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}"
    run(desk.runtime, "UPDATE invoices SET amnesty_at = now()")
    assert "Nothing goes: Imported when it was already overdue" in words(desk.get(path).text)
    preview = words(desk.get(f"{path}/release").text)
    assert "Letter" in preview
    assert "goes to Adaa-1" in preview
    assert "Nothing goes" not in preview
    assert look(desk.runtime, 1).amnesty_at is not None
    Desk(desk.client, desk.runtime, role=Role.OPERATOR)
    assert desk.get(f"{path}/release").status_code == 403
    Desk(desk.client, desk.runtime, role=Role.MANAGER)
    desk = Desk(desk.client, desk.runtime, role=Role.MANAGER)
    send(desk, f"{path}/release", f"{path}/release")
    assert look(desk.runtime, 1).amnesty_at is None


def test_a_pdf_is_attached_replaced_and_removed(desk: Desk) -> None:
    path = f"/invoices/{an_invoice(desk.runtime)}/document"

    def put(content: bytes) -> str:
        fields = {"_csrf_token": desk.csrf_token}
        answer = desk.client.post(path, data=fields, files={"file": ("../../x.pdf", content)})
        return desk.told(answer) if answer.status_code == 303 else str(answer.status_code)

    assert "The PDF is kept" in put(b"%PDF-1.7\n" + b"x" * 1_500_000 + b"\n%%EOF\n")
    assert "A-1.pdf" in desk.get("/invoices/1").text
    assert "Nothing was kept" in put(b"MZ\x90")
    assert "Nothing was kept" in put(b"")
    assert put(b"%PDF-1.7\n" + b"x" * 2_200_000) == "413"
    assert "The PDF is kept" in put(b"%PDF-1.4\n%%EOF")
    assert one(desk.runtime, "SELECT length(content) FROM invoice_documents") == 14
    assert desk.post(path, {"_method": "delete"}).status_code == 303
    assert desk.post(path, {"_method": "delete"}).status_code == 404


def test_the_evidence_is_one_file_and_taking_it_is_on_record(desk: Desk) -> None:
    answer = desk.post(f"/invoices/{an_invoice(desk.runtime)}/evidence")
    assert answer.content.startswith(b"PK")
    assert answer.headers["content-disposition"] == 'attachment; filename="evidence-A-1.zip"'
    assert "The evidence was downloaded" in words(desk.get("/invoices/1").text)


def test_no_page_of_an_invoice_changes_anything_by_being_opened(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    rows = "SELECT (SELECT count(*) FROM audit_events) + (SELECT count(*) FROM reminders) + (SELECT sum(version) FROM invoices)"
    count = one(desk.runtime, rows)
    for path in ("", "/nudges/new", "/nudges/new/html", "/pause", "/reminders", "/payments/new", "/promises/new", "/disputes/new", "/close/void", "/close/write-off", "/release"):  # fmt: skip
        assert desk.get(f"/invoices/{invoice_id}{path}").status_code == 200, path
    assert one(desk.runtime, rows) == count
