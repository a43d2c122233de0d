"""Clients: found, read, edited, silenced and blocked on purpose only."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.audit import AuditEvent
from nudgepay.nudges.answers import Suppression
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.recipients import mark_wrong_person
from nudgepay.nudges.suppressions import suppress
from nudgepay.runtime import Runtime
from web.ui.books import HOSTILE, add_client, add_invoice, client_of, contact_of
from web.ui.desk import Desk


def _audits(runtime: Runtime, action: str) -> list[AuditEvent]:
    with runtime.db.transaction() as session:
        return session.query(AuditEvent).filter_by(action=action).order_by(AuditEvent.id).all()


def _written_to(runtime: Runtime, client_id: int) -> list[str]:
    with runtime.db.transaction() as session:
        people = load_clients(session, [client_id], now=clock.now())[client_id].contacts
    return [one.email for one in people if one.blocked is None]


def test_the_list_shows_what_each_one_owes_and_an_empty_one_teaches(desk: Desk, runtime: Runtime) -> None:
    assert "Read them with their invoices from a file" in desk.get("/clients").text
    lindner = add_client(runtime, "Bäckerei Lindner")
    add_invoice(runtime, lindner, "A-1", late=5)
    add_invoice(runtime, lindner, "A-2", late=40, currency="JPY", amount_due=380_000)
    page = desk.get("/clients").text
    assert "€100.00" in page
    assert "¥380,000" in page
    assert "40 days late" in page
    assert f'href="/clients/{lindner}"' in page


def test_clients_are_found_by_parts_of_names_and_people_and_by_keys(desk: Desk, runtime: Runtime) -> None:
    lindner = add_client(runtime, "Bäckerei Lindner", external_id="K-4711")
    add_client(runtime, "Hudson & Park", email="marcus@hudsonpark.example")
    found = {
        query: [
            name
            for name in ("Lindner", "Hudson")
            if f">{'Bäckerei Lindner' if name == 'Lindner' else 'Hudson &amp; Park'}<"
            in desk.get("/clients", params={"q": query}).text
        ]
        for query in (
            "lind",
            "BÄCK",
            "ndne",
            "bä",
            "ma",
            "marcus",
            "hudsonp",
            "K-4711",
            "park hud",
            "nobody",
            "lind hud",
            "&&&",
            "' OR 1=1 --",
            "%",
            "\x00",
        )
    }
    assert found == {
        "lind": ["Lindner"],
        "BÄCK": ["Lindner"],
        "ndne": ["Lindner"],
        "bä": ["Lindner"],
        "ma": ["Hudson"],
        "marcus": ["Hudson"],
        "hudsonp": ["Hudson"],
        "K-4711": ["Lindner"],
        "park hud": ["Hudson"],
        "nobody": [],
        "lind hud": [],
        "&&&": [],
        "' OR 1=1 --": [],
        "%": [],
        "\x00": [],
    }
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE contacts SET removed_at = now() WHERE client_id <> :id"), {"id": lindner})
    assert "Hudson &amp; Park<" not in desk.get("/clients", params={"q": "marcus"}).text


@pytest.mark.parametrize("sort", ["name", "new"])
def test_pages_follow_one_another_without_gap_or_repetition(desk: Desk, runtime: Runtime, sort: str) -> None:
    with runtime.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO clients (name, locale, timezone, country) SELECT CASE n % 3 WHEN 0 THEN 'same' ELSE"
                " 'Client ' || n END, 'en', 'Europe/Berlin', 'DE' FROM generate_series(1, 120) AS n"
            )
        )
    seen: list[str] = []
    path: str | None = f"/clients?sort={sort}"
    while path:
        page = desk.get(path).text
        seen += [part.split('"')[0] for part in page.split('class="row-link" href="/clients/')[1:]]
        path = (
            page.split('" rel="next"')[0].rsplit('href="', 1)[1].replace("&amp;", "&")
            if 'rel="next"' in page
            else None
        )
    assert len(seen) == len(set(seen)) == 120


def test_what_is_said_in_the_query_is_never_sql(desk: Desk, runtime: Runtime) -> None:
    """A48: sort and view come from lists, words become words, a wild after is none."""
    add_client(runtime, "Bäckerei Lindner")
    for query in (
        "sort=;drop table clients",
        "sort=name;--",
        "view=1) OR (1=1",
        "after=1;drop",
        "after=" + "9" * 40,
        "q=" + "%25" * 500,
        "q=a:*%26!b|(",
        "q=" + "x" * 5000,
    ):
        assert desk.get(f"/clients?{query}").status_code == 200
    assert desk.get("/clients/99999999999999999999").status_code == 422
    assert desk.get("/clients/999").status_code == 404
    assert ">Bäckerei Lindner<" in desk.get("/clients").text


def test_what_people_and_files_say_is_text_wherever_it_is_shown(desk: Desk, runtime: Runtime) -> None:
    """A41: names, keys and numbers stand on every page as they were typed, and nothing runs."""
    client_id = add_client(runtime, HOSTILE, external_id="javascript:alert(3)")
    add_invoice(runtime, client_id, "<b>A-1</b>", amnesty=True)
    contact = contact_of(runtime, client_id)
    paths = [
        "",
        "/edit",
        "/chasing",
        "/contacts/new",
        f"/contacts/{contact.id}",
        f"/contacts/{contact.id}/blocks",
        "/statement",
    ]
    for path in [
        "/clients",
        "/amnesty",
        f"/amnesty/release?invoice={add_invoice(runtime, client_id, '<i>B', amnesty=True)}",
        *(f"/clients/{client_id}{path}" for path in paths),
    ]:
        page = desk.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<b>A-1" not in page.text
        assert "'unsafe" not in page.headers["content-security-policy"]
        assert 'href="javascript:' not in page.text
    assert "&lt;script&gt;" in desk.get(f"/clients/{client_id}").text


def test_the_views_hold_those_whom_their_names_say(desk: Desk, runtime: Runtime) -> None:
    owing = add_client(runtime, "Owing")
    add_invoice(runtime, owing, "A-1")
    blocked = add_client(runtime, "Blocked", email="gone@blocked.example")
    off, paused, debited = (
        add_client(runtime, name, email=f"{name}@x.example") for name in ("off", "paused", "debited")
    )
    with runtime.db.transaction() as session:
        suppress(
            session, address="GONE@blocked.example", reason="bounced", source="report", now=clock.now(), actor="test"
        )
    desk.post(f"/clients/{off}/reminders/off")
    desk.post(f"/clients/{paused}/pause")
    desk.post(f"/clients/{debited}/autopay")
    for view, expected in {
        "owing": owing,
        "blocked": blocked,
        "off": off,
        "paused": paused,
        "autopay": debited,
    }.items():
        page = desk.get(f"/clients?view={view}").text
        assert [part.split('"')[0] for part in page.split('class="row-link" href="/clients/')[1:]] == [
            str(expected)
        ], view


def test_a_client_is_added_with_everything_that_is_wrong_told_at_once(desk: Desk, runtime: Runtime) -> None:
    typed = {
        "name": " ",
        "email": "a@b@c",
        "locale": "xx-YY",
        "timezone": "Mars/Base",
        "country": "Q1",
        "contact_name": "Klara",
    }
    page = desk.post("/clients/new", typed)
    assert page.status_code == 422
    for sentence in (
        "Fill this in.",
        "Give one e-mail address",
        "Choose a time zone",
        "Choose a language",
        "Choose a country",
    ):
        assert sentence in page.text
    assert 'value="a@b@c"' in page.text
    assert 'value="Klara"' in page.text
    good = {
        "name": "Bäckerei Lindner",
        "email": "klara@lindner.example",
        "locale": "de",
        "timezone": "Europe/Berlin",
        "country": "DE",
        "external_id": "K-1",
    }
    assert "The client is added." in desk.told(desk.post("/clients/new", good))
    again = desk.post("/clients/new", good)
    assert again.status_code == 422
    assert "Another client has this key" in again.text


def test_an_edit_needs_the_version_that_was_seen_and_plans_anew(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    add_invoice(runtime, client_id, "A-1")
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE invoices SET next_at = NULL"))
    typed = {"version": 1, "name": "Lindner GmbH", "locale": "de-AT", "timezone": "Europe/Vienna", "country": "AT"}
    assert "Saved." in desk.told(desk.post(f"/clients/{client_id}/edit", typed))
    stale = desk.post(f"/clients/{client_id}/edit", {**typed, "name": "Overwritten"})
    assert stale.status_code == 409
    assert "changed meanwhile" in stale.text
    client = client_of(runtime, client_id)
    assert (client.name, client.timezone, client.version) == ("Lindner GmbH", "Europe/Vienna", 2)
    with runtime.db.transaction() as session:
        assert session.scalar(text("SELECT next_at IS NOT NULL FROM invoices"))
    (audited,) = _audits(runtime, "client.edit")
    assert audited.after is not None
    assert audited.after["changed"] == ["country", "locale", "name", "timezone"]
    assert "Lindner" not in str((audited.before, audited.after))


def test_a_contact_edit_lifts_no_block_whatever_it_changes(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    contact = contact_of(runtime, client_id)
    now = clock.now()
    with runtime.db.transaction() as session:
        suppress(session, address=contact.email, reason="unsubscribed", source="one-click", now=now, actor="payer")
        mark_wrong_person(session, contact_id=contact.id, now=now, actor="payer", source="page")
    version = contact_of(runtime, client_id).version
    typed = {"version": version, "name": "Klara L.", "email": "KLARA@lindner.example", "role": "billing"}
    desk.post(f"/clients/{client_id}/contacts/{contact.id}", typed)
    desk.post(
        f"/clients/{client_id}/contacts/{contact.id}", {**typed, "version": version + 1, "email": contact.email}
    )
    assert _written_to(runtime, client_id) == []
    with runtime.db.transaction() as session:
        assert session.query(Suppression).filter(Suppression.lifted_at.is_(None)).count() == 1
    assert contact_of(runtime, client_id).wrong_person_at is not None


def test_a_block_is_lifted_only_with_a_reason_and_by_name(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    contact = contact_of(runtime, client_id)
    with runtime.db.transaction() as session:
        suppress(
            session, address=contact.email, reason="unsubscribed", source="one-click", now=clock.now(), actor="payer"
        )
    there = f"/clients/{client_id}/contacts/{contact.id}/blocks"
    page = desk.get(there).text
    assert "asked for no more reminders" in page
    assert "one-click" in page
    assert desk.post(f"{there}/lift", {"reason": "unsubscribed", "because": " "}).status_code == 422
    assert _written_to(runtime, client_id) == []
    desk.told(desk.post(f"{there}/lift", {"reason": "unsubscribed", "because": "she called and wants them again"}))
    assert _written_to(runtime, client_id) == [contact.email]
    with runtime.db.transaction() as session:
        (lifted,) = session.query(Suppression).all()
        assert (lifted.lift_reason, lifted.lifted_by) == ("she called and wants them again", "operator:1")


def test_a_removed_contact_gets_no_more_mail_and_can_be_brought_back(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    contact = contact_of(runtime, client_id)
    there = f"/clients/{client_id}/contacts/{contact.id}"
    assert desk.post(f"{there}/remove", {"version": contact.version + 5}).status_code == 409
    page = desk.told(desk.post(f"{there}/remove", {"version": contact.version}))
    assert "Nobody at this client can be written to now" in page
    assert f'action="{there}/restore"' in page
    assert _written_to(runtime, client_id) == []
    assert desk.get(there).status_code == 404
    desk.told(desk.post(f"{there}/restore"))
    assert _written_to(runtime, client_id) == [contact.email]
    desk.post(f"{there}/remove", {"version": contact.version + 2})
    desk.told(
        desk.post(f"/clients/{client_id}/contacts/new", {"name": "K", "email": contact.email, "role": "billing"})
    )
    assert _written_to(runtime, client_id) == [contact.email]


def test_a_contact_of_another_client_is_not_reached_through_this_one(desk: Desk, runtime: Runtime) -> None:
    mine, theirs = add_client(runtime, "Mine"), add_client(runtime, "Theirs", email="t@theirs.example")
    contact = contact_of(runtime, theirs)
    there = f"/clients/{mine}/contacts/{contact.id}"
    assert desk.get(there).status_code == 404
    for act in ("", "/remove", "/restore", "/right-person", "/blocks", "/blocks/lift"):
        typed = {
            "version": 1,
            "name": "x",
            "email": "x@x.example",
            "role": "billing",
            "reason": "manual",
            "because": "x",
        }
        assert desk.post(f"{there}{act}", typed).status_code == 404
    assert contact_of(runtime, theirs).version == 1


def test_the_switches_of_a_client_go_both_ways_by_form_and_by_delete(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    there = f"/clients/{client_id}"
    page = desk.told(desk.post(f"{there}/reminders/off"))
    assert f'action="{there}/reminders"' in page
    assert client_of(runtime, client_id).reminders_off_at is not None
    desk.told(desk.post(f"{there}/reminders"))
    assert client_of(runtime, client_id).reminders_off_at is None
    asked = {"X-CSRF-Token": desk.csrf_token}
    assert desk.client.delete(f"{there}/reminders").status_code == 403
    assert desk.client.delete(f"{there}/reminders", headers=asked).status_code == 303
    assert client_of(runtime, client_id).reminders_off_at is not None
    assert len(_audits(runtime, "client.reminders")) == 3
    tomorrow = clock.now().date() + timedelta(days=2)
    desk.told(desk.post(f"{there}/pause", {"until": tomorrow.isoformat()}))
    assert client_of(runtime, client_id).paused_until == tomorrow
    assert "Choose a day from today on." in desk.told(desk.post(f"{there}/pause", {"until": "2020-01-01"}))
    assert desk.client.delete(f"{there}/pause", headers=asked).status_code == 303
    assert client_of(runtime, client_id).paused_until is None
    desk.told(desk.post(f"{there}/pause"))
    assert client_of(runtime, client_id).paused_until == date.max
    desk.post(f"{there}/pause/end")
    desk.told(desk.post(f"{there}/autopay"))
    assert client_of(runtime, client_id).autopay
    desk.client.delete(f"{there}/autopay", headers=asked)
    assert not client_of(runtime, client_id).autopay


def test_schedule_and_tolerance_are_taken_as_the_person_writes_amounts(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    add_invoice(runtime, client_id, "A-1")
    add_invoice(runtime, client_id, "A-2", currency="JPY")
    there = f"/clients/{client_id}/chasing"
    bad = desk.post(there, {"version": 1, "schedule": "none such", "tolerance_EUR": "20"})
    assert bad.status_code == 422
    assert "There is no such schedule" in bad.text
    bad = desk.post(there, {"version": 1, "schedule": "", "tolerance_EUR": "a lot", "tolerance_JPY": "1.5"})
    assert bad.text.count("Write an amount such as") == 2
    assert 'value="a lot"' in bad.text
    desk.post("/account", {"locale": "de"})
    desk.told(desk.post(there, {"version": 1, "schedule": "", "tolerance_EUR": "1.020,50", "tolerance_JPY": "300"}))
    assert client_of(runtime, client_id).tolerance == {"EUR": 102_050, "JPY": 300}
    assert 'value="1020,50"' in desk.get(there).text


def test_a_page_tells_what_happens_next_and_why_the_rest_is_silent(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    add_invoice(runtime, client_id, "A-1", late=-10)
    waiting = add_invoice(runtime, client_id, "A-2", amnesty=True)
    page = desk.get(f"/clients/{client_id}").text
    assert "Imported when it was already overdue" in page
    assert page.index("What happens next") < page.index(f"/invoices/{waiting}")
    assert "T-3" in page
    desk.post(f"/clients/{client_id}/reminders/off")
    assert "Reminders are switched off" in desk.get(f"/clients/{client_id}").text


def test_a_statement_is_seen_first_and_asked_for_once_a_day(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    there = f"/clients/{client_id}/statement"
    assert "Nothing is asked for" in desk.get(there).text
    add_invoice(runtime, client_id, "A-1")
    page = desk.get(there)
    assert "Ihr Konto bei Atelier Nord" in page.text
    shown = desk.get(f"{there}/html")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert "A-1" in shown.text
    with runtime.db.transaction() as session:
        assert session.query(Mailing).count() == 0
    assert "goes out next" in desk.told(desk.post(there))
    assert "asked for already" in desk.told(desk.post(there))
    with runtime.db.transaction() as session:
        assert session.query(Mailing).count() == 1


def test_a_viewer_reads_and_is_offered_nothing_that_changes(desk: Desk, runtime: Runtime) -> None:
    client_id = add_client(runtime, "Bäckerei Lindner")
    add_invoice(runtime, client_id, "A-1")
    viewer = Desk(desk.client, runtime, Role.VIEWER)
    page = viewer.get(f"/clients/{client_id}").text
    assert f"/clients/{client_id}/edit" not in page
    assert f'action="/clients/{client_id}' not in page
    for path in ("/reminders", "/reminders/off", "/pause", "/autopay", "/edit", "/statement", "/contacts/new"):
        assert viewer.post(f"/clients/{client_id}{path}", {"version": 1}).status_code == 403
    assert viewer.get("/import").status_code == 403
    assert client_of(runtime, client_id).version == 1
