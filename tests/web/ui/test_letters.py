"""Letters and runs: found, read as they went out, and settled by a person who says why."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay.access.permissions import Role
from nudgepay.web.app import create_app
from nudgepay.web.ui.cursors import pack, unpack
from nudges.books import MONDAY
from web.ui.desk import Desk


def _one(desk: Desk, query: str, **values: Any) -> Any:
    with desk.runtime.db.transaction() as session:
        return session.scalar(text(query), values)


def test_letters_are_listed_by_state_client_and_address_and_a_page_at_a_time(
    lived: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nudgepay.web.ui.letters.listing.PAGE_SIZE", 4)
    expected = _one(lived, "SELECT count(*) FROM letters")
    seen, path = [], "/letters"
    while path:
        page = lived.get(path).text
        seen += re.findall(r'class="row-link" href="/letters/([0-9a-f-]{36})"', page)
        more = re.search(r'href="([^"]+)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == expected
    unknown = lived.get("/letters?state=unknown").text
    assert unknown.count('class="row-link"') == 1
    address = _one(lived, "SELECT to_address FROM letters ORDER BY sending_at LIMIT 1")
    found = lived.get("/letters", params={"q": address[:7].upper()}).text
    assert found.count('class="row-link"') == _one(
        lived, "SELECT count(*) FROM letters WHERE to_address = :a", a=address
    )
    client = _one(lived, "SELECT client_id FROM letters ORDER BY sending_at LIMIT 1")
    assert lived.get(f"/letters?client={client}").text.count('class="row-link"') >= 1


@pytest.mark.parametrize(
    "query",
    [
        "state='; DROP TABLE letters--",
        "client=1e9",
        "client=99999999999999999999",
        "q=%25_%27",
        "after=xx",
        "after=" + "A" * 190,
    ],
)
def test_a_query_that_means_nothing_shows_a_page_all_the_same(lived: Desk, query: str) -> None:
    assert lived.get(f"/letters?{query}").status_code == 200


def test_a_letter_is_shown_as_it_went_out(lived: Desk) -> None:
    letter_id = _one(lived, "SELECT id FROM letters WHERE state = 'accepted' ORDER BY sending_at LIMIT 1")
    page = lived.get(f"/letters/{letter_id}").text
    mime = bytes(_one(lived, "SELECT mime FROM letters WHERE id = :id", id=letter_id))
    assert f'src="/letters/{letter_id}/html"' in page
    assert "sandbox" in page
    raw = lived.get(f"/letters/{letter_id}/raw")
    assert (raw.content, raw.headers["content-type"]) == (mime, "message/rfc822")
    framed = lived.get(f"/letters/{letter_id}/html")
    assert framed.headers["content-security-policy"].startswith("default-src 'none'")
    assert "sandbox" in framed.headers["content-security-policy"]
    assert lived.get(f"/letters/{uuid.uuid4()}").status_code == 404


def test_a_person_settles_a_letter_in_doubt_and_says_why(lived: Desk) -> None:
    letter_id = _one(lived, "SELECT id FROM letters WHERE state = 'unknown'")
    path = f"/letters/{letter_id}/resolve"
    refused = lived.post(path, {"what": "sent", "reason": " "})
    assert refused.status_code == 422
    assert "field-problem" in refused.text
    assert _one(lived, "SELECT state FROM letters WHERE id = :id", id=letter_id) == "unknown"
    page = lived.told(lived.post(path, {"what": "sent", "reason": "The client said so by phone"}))
    assert "The client said so by phone" in page
    assert "olga@desk.example" in page
    assert _one(lived, "SELECT state FROM letters WHERE id = :id", id=letter_id) == "accepted"
    assert lived.post(path, {"what": "resend", "reason": "once more"}).status_code == 409
    assert _one(lived, "SELECT n FROM letters WHERE id = :id", id=letter_id) == 1


def test_a_letter_is_sent_again_only_when_a_person_orders_it(lived: Desk) -> None:
    letter_id = _one(lived, "SELECT id FROM letters WHERE state = 'unknown'")
    lived.get(f"/letters/{letter_id}/resolve?what=resend")
    assert _one(lived, "SELECT state FROM letters WHERE id = :id", id=letter_id) == "unknown"
    lived.told(lived.post(f"/letters/{letter_id}/resolve", {"what": "resend", "reason": "the relay lost its disk"}))
    assert _one(lived, "SELECT n FROM letters WHERE id = :id", id=letter_id) == 2
    assert _one(lived, "SELECT state FROM letters WHERE id = :id", id=letter_id) == "planned"


def test_looking_into_the_relays_record_settles_what_it_knows(lived: Desk) -> None:
    letter_id = _one(lived, "SELECT id FROM letters WHERE state = 'unknown'")
    lived.told(lived.post(f"/letters/{letter_id}/look"))
    assert _one(lived, "SELECT state FROM letters WHERE id = :id", id=letter_id) == "accepted"


def test_a_viewer_reads_letters_and_settles_nothing(lived: Desk) -> None:
    letter_id = _one(lived, "SELECT id FROM letters WHERE state = 'unknown'")
    with TestClient(create_app(lived.runtime), follow_redirects=False) as client:
        viewer = Desk(client, lived.runtime, role=Role.VIEWER)
        page = viewer.get(f"/letters/{letter_id}")
        assert page.status_code == 200
        assert "/resolve" not in page.text
        assert viewer.post(f"/letters/{letter_id}/resolve", {"what": "sent", "reason": "because"}).status_code == 403


def test_a_run_tells_what_it_sent_and_why_the_rest_was_silent(lived: Desk) -> None:
    run_id = _one(lived, "SELECT id FROM runs WHERE (counts ->> 'letters')::int > 1 ORDER BY started_at LIMIT 1")
    page = lived.get(f"/runs/{run_id}").text
    letters = _one(lived, "SELECT count(*) FROM letters WHERE run_id = :id", id=run_id)
    assert page.count('class="row-link"') == letters > 1
    assert lived.get("/runs").text.count("/runs/") < lived.get("/runs?idle=yes").text.count("/runs/")


def test_a_cursor_is_read_back_as_it_was_written_and_garbage_is_the_beginning() -> None:
    key = (MONDAY + timedelta(microseconds=7), uuid.uuid4())
    assert unpack(pack(*key), type(MONDAY), uuid.UUID) == key
    for word in ("", "x", "WzFd", pack(1), "é", "[]", "=" * 40):
        assert unpack(word, type(MONDAY), uuid.UUID) is None
