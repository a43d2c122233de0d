"""A flood of badly signed deliveries beside good ones: every good one is kept, none of the others leaves a trace (A8)."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from examples import PROOF
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudgepay.payments.inbox import MAX_BODY
from nudges.books import rows
from web.conftest import SECRET
from web.served import Served, serving, status_of

BAD = 50_000 if PROOF else 3_000
GOOD = 3_000 if PROOF else 300
ADDRESSES = 200
THREADS = 16
KINDS = ("unsigned", "wrong secret", "another body", "stale", "long header", "huge")


def event(number: int) -> bytes:
    document = {"id": f"evt_{number}", "type": "ping", "livemode": False, "data": {"object": {}}}
    return json.dumps(document).encode()


def delivery(raw: bytes, header: str, *, length: int | None = None) -> bytes:
    declared = len(raw) if length is None else length
    head = f"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {declared}\r\n"
    return f"{head}Stripe-Signature: {header}\r\nConnection: close\r\n\r\n".encode() + raw


def bad(number: int, kind: str) -> bytes:
    raw, now = event(1_000_000 + number), int(time.time())
    good = signature(raw, SECRET, now)
    return {
        "unsigned": lambda: delivery(raw, ""),
        "wrong secret": lambda: delivery(raw, signature(raw, "whsec_wrong", now)),
        "another body": lambda: delivery(raw + b" ", good),
        "stale": lambda: delivery(raw, signature(raw, SECRET, now - 400)),
        "long header": lambda: delivery(raw, f"{good}," + "x" * 10_000),
        "huge": lambda: delivery(b"x", good, length=MAX_BODY + 1),
    }[kind]()


def test_every_good_delivery_is_kept_in_a_flood_from_two_hundred_addresses(
    settings: Settings, db: Database, tmp_path: Path, figures: Callable[..., None]
) -> None:
    with serving(settings, tmp_path / "served", STRIPE_WEBHOOK_SECRET=SECRET, LOG_LEVEL="INFO") as served:
        served.say(delivery(event(0), signature(event(0), SECRET, int(time.time()))))
        began, memory = time.monotonic(), served.rss_kilobytes()
        with ThreadPoolExecutor(THREADS) as pool:
            flood = [pool.submit(strike, served, number) for number in range(BAD)]
            good = [honest(served, number) for number in range(1, GOOD + 1)]
            refused = [one.result() for one in flood]
        seconds, growth = time.monotonic() - began, served.rss_kilobytes() - memory
        logged = served.log.stat().st_size
    kept = {row.event_id for row in rows(db, "SELECT event_id FROM stripe_events")}
    lost = sum(f"evt_{number}" not in kept for number in range(GOOD + 1))
    figures(
        "flood",
        bad=BAD,
        good=GOOD,
        lost=lost,
        rows_of_bad=len(kept) - GOOD - 1 + lost,
        bad_a_second=round(BAD / seconds),
        good_p50_ms=round(median(good) * 1000),
        good_p99_ms=round(quantiles(good, n=100)[98] * 1000),
        rss_growth_kb=growth,
    )
    assert lost == 0
    assert kept == {f"evt_{number}" for number in range(GOOD + 1)}
    assert set(refused) <= {400, 413}
    assert rows(db, "SELECT 1 FROM notices") == []
    assert growth < 50 * 1024
    assert logged < 50_000, "a flood does not fill the log"


def strike(served: Served, number: int) -> int:
    """One bad delivery, from one of two hundred addresses of loopback."""
    answered, _ = served.say(bad(number, KINDS[number % len(KINDS)]), source=f"127.0.1.{1 + number % ADDRESSES}")
    return status_of(answered)


def honest(served: Served, number: int) -> float:
    """One good delivery; the seconds until it was accepted."""
    raw = event(number)
    answered, seconds = served.say(delivery(raw, signature(raw, SECRET, int(time.time()))))
    assert status_of(answered) == 200
    return seconds


def test_what_is_too_large_costs_no_look_at_its_signature(
    settings: Settings, tmp_path: Path, figures: Callable[..., None]
) -> None:
    raw = b"x" * MAX_BODY
    header = signature(b"other", SECRET, int(time.time()))
    with serving(settings, tmp_path / "served", STRIPE_WEBHOOK_SECRET=",".join([SECRET] * 3)) as served:
        costs: dict[str, list[float]] = {"just small enough": [], "too large": []}
        for name in ["just small enough", "too large"] * 6:
            body, declared = (raw, len(raw)) if name == "just small enough" else (b"", MAX_BODY + 1)
            before = served.cpu_seconds()
            statuses = {status_of(served.say(delivery(body, header, length=declared))[0]) for _ in range(40)}
            costs[name].append(served.cpu_seconds() - before)
            assert statuses == {400 if name == "just small enough" else 413}
    small, large = median(costs["just small enough"]), median(costs["too large"])
    figures("size before signature", cpu_ratio=round(large / small, 2), checked_ms=round(small / 40 * 1000, 2))
    assert large < small * 0.7
