"""The doctor on an installation that is well, and on one with each trouble: found, and with a cure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from nudgepay import clock, ledger
from nudgepay.config import Settings
from nudgepay.gateways.fakes.dns import FakeDns
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.nudges.switch import pause_sending
from nudgepay.readiness.doctor import doctor_findings
from nudgepay.readiness.findings import Finding, is_healthy
from nudgepay.runtime import Runtime, build_runtime


def findings(runtime: Runtime, *, late: tuple[str, ...] = ()) -> dict[str, Finding]:
    found = {one.name: one for one in doctor_findings(runtime, late=lambda session: list(late))}
    assert all(one.cure for one in found.values() if one.verdict != "ok"), "every trouble has its cure"
    return found


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    settings.nudgepay_home.mkdir(parents=True)
    made = build_runtime(settings)
    with made.db.transaction() as session:
        session.execute(text("INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES"))
    yield made
    made.close()


def test_an_installation_that_is_well_has_no_failure(runtime: Runtime) -> None:
    found = findings(runtime)
    assert is_healthy(found.values())
    assert {name for name, one in found.items() if one.verdict == "ok"} >= {
        "database",
        "clock",
        "migrations",
        "workers",
        "queues",
        "sending",
        "letters.unknown",
        "notices",
        "sender.relay",
        "sender.receipts",
        "disk",
    }
    assert found["stripe"].verdict == found["sender.dns"].verdict == "not_checked"


def test_silent_workers_late_queues_and_a_pause_are_told(runtime: Runtime) -> None:
    with runtime.db.transaction() as session:
        session.execute(
            text("UPDATE procrastinate.procrastinate_workers SET last_heartbeat = now() - interval '10 minutes'")
        )
        pause_sending(session, reason="moving house", environment="test", actor="t")
        ledger.notice(session, "letter.unknown", "letter.unknown:1", {})
    found = findings(runtime, late=("reminders",))
    assert {name: found[name].verdict for name in ("workers", "queues", "sending", "notices")} == {
        "workers": "failed",
        "queues": "failed",
        "sending": "warning",
        "notices": "warning",
    }
    assert "moving house" in found["sending"].found


def test_a_schema_that_is_not_this_codes_is_told(runtime: Runtime) -> None:
    with runtime.db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    found = findings(runtime)
    assert (found["migrations"].verdict, found["workers"].verdict) == ("failed", "not_checked")


@pytest.mark.parametrize(("seconds", "verdict"), [(5, "warning"), (-120, "failed"), (0, "ok")])
def test_a_clock_that_differs_is_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, seconds: int, verdict: str
) -> None:
    real = clock.now

    def wrong() -> datetime:
        return real() + timedelta(seconds=seconds)

    monkeypatch.setattr(clock, "now", wrong)
    assert findings(runtime)["clock"].verdict == verdict


def test_a_database_that_is_away_hides_nothing_else(runtime: Runtime, settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/none")})
    lost = build_runtime(away)
    found = findings(lost)
    lost.close()
    assert found["database"].verdict == "failed"
    assert found["sender.relay"].verdict == "ok"


def smtp(settings: Settings, port: int, dns: str, **changes: object) -> Settings:
    given = {
        "mail_transport": "smtp",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "dns_servers": dns,
    }
    return settings.model_copy(update=given | changes)


def test_the_relay_is_really_spoken_to_and_gets_no_letter(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    with SmtpSink(tmp_path / "journal.jsonl") as sink, FakeDns({}) as dns:
        made = build_runtime(smtp(settings, sink.port, dns.address))
        found = findings(made)
        made.close()
        assert sink.kept() == []
    assert found["sender.relay"].verdict == "ok"
    assert found["sender.receipts"].verdict == "warning", "a bare relay"
    assert found["sender.spf"].verdict == "failed"


def test_a_relay_that_is_away_and_a_log_nobody_may_read_are_told(settings: Settings, tmp_path: Path) -> None:
    with FakeDns({}) as dns:
        receipts = f"postfix:{tmp_path / 'none.log'}"
        made = build_runtime(smtp(settings, 1, dns.address, smtp_receipts=receipts))
        found = findings(made)
        made.close()
    assert found["sender.relay"].verdict == found["sender.receipts"].verdict == "failed"


def test_stripe_is_really_asked(runtime: Runtime, settings: Settings) -> None:
    with FakeStripe() as fake:

        def verdict(**changes: object) -> str:
            given = settings.model_copy(
                update={"stripe_secret_key": SecretStr(fake.api_key), "stripe_api_base": fake.url} | changes
            )
            made = build_runtime(given)
            found = findings(replace(made, db=runtime.db))
            made.close()
            return found["stripe"].verdict

        hook = {"stripe_webhook_secret": SecretStr("whsec_" + "x" * 30)}
        assert verdict() == "warning", "without webhooks"
        assert verdict(**hook) == "ok"
        assert verdict(**hook, stripe_account="acct_of_somebody_else") == "failed"
        assert verdict(**hook, stripe_secret_key=SecretStr("sk_test_revoked")) == "failed"
    assert verdict(**hook) == "not_checked", "nobody answers: not green"


def test_a_bounce_mailbox_that_cannot_be_read_is_told(runtime: Runtime, settings: Settings, tmp_path: Path) -> None:
    def verdict(mailbox: str | None) -> str:
        given = settings.model_copy(update={"bounce_mailbox": SecretStr(mailbox) if mailbox else None})
        return findings(replace(runtime, settings=given))["bounces"].verdict

    for part in ("new", "cur", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    assert verdict(str(tmp_path / "box")) == "ok"
    assert verdict(str(tmp_path / "nowhere")) == "failed"
    assert verdict(None) == "warning"
