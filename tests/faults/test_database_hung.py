"""PostgreSQL accepts and never answers: nobody waits long, nothing is answered yes, and all goes on by itself."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.conftest import OwnDatabase
from faults.harness import PROOF, is_stopped_or_gone, measured, wait_until
from faults.products import Site, serving
from faults.proxy import Proxy
from faults.servers import frozen
from nudgepay import clock
from nudges.books import make_client, make_invoice, rows, value

LONGEST_REQUEST = 10.0
SOON = 5.0
ASKERS = 30 if PROOF else 12
pytestmark = [pytest.mark.fault, pytest.mark.timeout(300 if PROOF else 120)]


@pytest.fixture
def token(own: OwnDatabase) -> str:
    """What opens a payer's page."""
    make_invoice(own.db, make_client(own.db), "A-1", due_on=clock.now().date(), now=clock.now())
    return str(value(own.db, "SELECT token FROM invoices"))


@pytest.fixture
def proxy(own: OwnDatabase) -> Iterator[Proxy]:
    with Proxy(own.server.socket()) as made:
        yield made


def ask_everything(site: Site, token: str) -> dict[str, list[tuple[int, float]]]:
    """Many at once: probes, a payer's page and click, Stripe."""
    answers: dict[str, list[tuple[int, float]]] = defaultdict(list)
    questions: dict[str, Callable[[], tuple[int, float]]] = {
        "webhook": lambda: site.post_event(f"evt_{threading.get_ident()}"),
        "readyz": lambda: site.ask("GET", "/readyz"),
        "livez": lambda: site.ask("GET", "/livez"),
        "page": lambda: site.ask("GET", f"/p/{token}"),
        "click": lambda: site.ask("POST", f"/p/{token}/paid", b"", **{"Sec-Fetch-Site": "same-origin"}),
    }

    def ask(name: str) -> None:
        answers[name].append(questions[name]())

    threads = [threading.Thread(target=ask, args=(name,)) for _ in range(ASKERS) for name in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_server_that_never_answers_holds_up_no_request(
    own: OwnDatabase, proxy: Proxy, token: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    with serving(proxy.url(own.name), tmp_path) as site:
        before = {name: {status for status, _ in found} for name, found in ask_everything(site, token).items()}
        proxy.hang()
        first = ask_everything(site, token)
        second = ask_everything(site, token)
        assert proxy.held > 0, "somebody was held up"
        proxy.go_on()
        began = time.monotonic()
        wait_until(lambda: site.post_event("evt_after")[0] == 200, seconds=10)
        site.wait_for("/readyz", 200, seconds=10)
        recovery = time.monotonic() - began
    assert (before["webhook"], before["readyz"]) == ({200}, {200})
    assert 200 in before["page"] <= {200, 503}, "so many at once may be too many"
    slowest = {name: round(max(seconds for _, seconds in first[name] + second[name]), 1) for name in first}
    more = {"requests": 2 * 5 * ASKERS, "recovery_seconds": round(recovery, 1)}
    figures("PostgreSQL hung", **measured("postgresql hung", slowest=slowest, **more))
    for found in (first, second):
        assert {status for status, _ in found["webhook"]} == {503}
        assert {status for status, _ in found["readyz"]} == {503}
        assert {status for status, _ in found["livez"]} == {200}
        assert {status for status, _ in found["page"] + found["click"]} == {503}
    assert max(slowest.values()) <= LONGEST_REQUEST
    assert slowest["readyz"] <= SOON
    assert slowest["livez"] <= SOON
    assert [row.event_id for row in rows(own.db, "SELECT event_id FROM stripe_events WHERE event_id = 'evt_after'")]


def test_backends_that_stand_still_are_left_and_the_next_request_is_served(
    own: OwnDatabase, token: str, tmp_path: Path
) -> None:
    with serving(own.url(), tmp_path) as site:
        ask_everything(site, token)
        stopped = own.server.backends(own.name)
        with frozen(stopped):
            wait_until(lambda: all(is_stopped_or_gone(pid) for pid in stopped))
            answers = ask_everything(site, token)
            assert site.post_event("evt_next")[0] == 200, "a new connection serves it"
    assert len(stopped) >= 2
    found = [answer for some in answers.values() for answer in some]
    assert max(seconds for _, seconds in found) <= LONGEST_REQUEST
    assert 500 not in {status for status, _ in found}
