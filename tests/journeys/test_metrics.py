"""The same story as the metrics tell it: names and labels as dashboards rely on them, scraped from the listener."""

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from journeys.signed_in import Installation, installed, working_hour
from nudgepay.automation.context import JobContext
from nudgepay.automation.listener import listen_for_scrapes
from nudgepay.automation.runner import run_job
from nudgepay.automation.schedule import job_named
from nudgepay.config import Settings

LABELS = {
    "nudgepay_http_requests_total": {"method", "route", "status"},
    "nudgepay_http_request_duration_seconds_count": {"method", "route"},
    "nudgepay_reminders_total": {"stage", "status"},
    "nudgepay_letters_total": {"state"},
    "nudgepay_emails_total": {"status"},
    "nudgepay_payments_total": {"source"},
    "nudgepay_webhook_events_total": {"provider", "outcome"},
    "nudgepay_webhook_backlog_age_seconds": set(),
    "nudgepay_queue_depth": {"queue"},
    "nudgepay_queue_oldest_age_seconds": {"queue"},
    "nudgepay_automation_jobs_total": {"job", "status"},
    "nudgepay_automation_job_duration_seconds_count": {"job"},
    "nudgepay_automation_last_success_timestamp_seconds": {"job"},
}
"""Series that exist, each with exactly these labels."""
LATER = {
    "nudgepay_login_attempts_total": {"factor", "result"},
    "nudgepay_login_throttle_events_total": {"event"},
    "nudgepay_circuit_breaker_events_total": {"breaker", "state"},
    "nudgepay_alerts_total": {"channel", "outcome"},
    "nudgepay_secret_age_seconds": {"secret"},
    "nudgepay_secret_rotations_total": {"secret", "outcome"},
    "nudgepay_probe_success": {"journey"},
    "nudgepay_probe_duration_seconds_count": {"journey"},
    "nudgepay_backup_last_restored_ok_timestamp_seconds": set(),
}
"""Series of rooms to come: whoever adds one adds it with these labels."""

Scrape = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int) -> Scrape:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
        }


def test_every_step_of_the_story_is_counted_under_the_labels_of_the_contract(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with installed(settings, monkeypatch) as shop:
        stop = listen_for_scrapes(shop.runtime, port=port)
        try:
            before = scrape(port)
            _live_through(shop)
            after = scrape(port)
        finally:
            stop()

    def more(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert more("nudgepay_reminders_total", stage="manual", status="planned") == 1
    assert more("nudgepay_reminders_total", stage="manual", status="accepted") == 1
    assert more("nudgepay_reminders_total", stage="+7", status="accepted") == 1
    assert more("nudgepay_letters_total", state="accepted") == 2
    assert more("nudgepay_emails_total", status="accepted") == 2
    assert more("nudgepay_payments_total", source="stripe") == 1
    assert more("nudgepay_webhook_events_total", provider="stripe", outcome="accepted") >= 2
    assert more("nudgepay_automation_jobs_total", job="settle_promises", status="done") == 1
    nudges = {"method": "POST", "route": "/invoices/{invoice_id:int}/nudges", "status": "303"}
    assert more("nudgepay_http_requests_total", **nudges) == 2
    _ensure_labels(after, shop.token)


def _live_through(shop: Installation) -> None:
    """A nudge ordered twice with one key, the next step by itself, then paid: each told twice, counted once."""
    shop.sign_in()
    for _ in range(2):
        shop.http.post(f"{shop.path}/nudges", data={"key": "only-once"}, headers={"X-CSRF-Token": shop.csrf_token})
    assert shop.pass_at(working_hour(4)) == 1
    shop.pay_as_the_payer()
    run_job(job_named("settle_promises"), JobContext(shop.runtime, working_hour(5), "test"))


def _ensure_labels(after: Scrape, token: str) -> None:
    found: dict[str, set[frozenset[str]]] = {}
    for name, labels in after:
        found.setdefault(name, set()).add(frozenset(key for key, _ in labels))
    assert {name: found.get(name) for name in LABELS} == {name: {frozenset(keys)} for name, keys in LABELS.items()}
    assert [name for name, keys in LATER.items() if name in found and found[name] != {frozenset(keys)}] == []
    values = {value for _, labels in after for _, value in labels}
    assert [value for value in values if "@" in value or token in value or "2026-1" in value] == []
