"""A line is kept once, booked once and by a person's word only, never beyond what is open, and comes back when undone."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from nudgepay.db import Database
from nudgepay.errors import NotFound, NudgePayError, UsageError
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.payments.actions import record_payment, undo_payment
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.models import BankLine
from nudgepay.payments.statements.actions import (
    LineDecided,
    NotAPayment,
    SameTransfer,
    WouldOverpay,
    confirm_line,
    ignore_line,
    parse_parts,
    take_up_line,
)
from nudgepay.payments.statements.queries import Listed, list_lines, propose_one
from nudgepay.payments.statements.storing import StatementReport, import_statement
from nudges.books import make_client, make_invoice
from nudges.builders import at

NOW = at("2026-03-13T09:00")
FILES = Path(__file__).parent / "statements"
HEADER = "booked_on,amount,currency,counterparty,reference,purpose,id"


def csv(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def row(purpose: str, amount: str = "100.00", day: str = "2026-03-09", payer: str = "Ada", id: str = "") -> str:
    return f"{day},{amount},EUR,{payer},,{purpose},{id}"


def take(db: Database, raw: bytes, **options: Any) -> StatementReport:
    return import_statement(db, raw, now=NOW, actor="test", **options)


def listed(db: Database, **options: Any) -> list[Listed]:
    with db.transaction() as session:
        return list(list_lines(session, now=NOW, **options))


def value(db: Database, query: str) -> Any:
    with db.transaction() as session:
        return session.scalar(text(query))


def confirm(db: Database, line_id: int, *parts: tuple[int, int], actor: str = "ann", **options: Any) -> int:
    wanted = [{"invoice_id": invoice_id, "amount": amount} for invoice_id, amount in parts]
    with db.transaction() as session:
        return confirm_line(session, line_id, wanted, now=NOW, actor=actor, **options).id


def state(db: Database, line_id: int) -> str:
    return str(value(db, f"SELECT state FROM bank_lines WHERE id = {line_id}"))


def money(db: Database, number: str) -> tuple[str, int]:
    with db.transaction() as session:
        found = session.execute(
            text("SELECT money_state, amount_remaining FROM invoices WHERE number = :number"), {"number": number}
        )
        state, remaining = found.one()
        return state, remaining


def notice_is_open(db: Database) -> bool:
    query = "SELECT count(*) FROM notices WHERE kind = 'statement.waiting' AND resolved_at IS NULL"
    found = value(db, query)
    assert found in {0, 1}
    return bool(found)


@pytest.fixture
def ada(db: Database) -> int:
    return make_client(db, "ada")


@pytest.fixture
def invoices(db: Database, ada: int) -> tuple[int, int]:
    return make_invoice(db, ada, "A-1", due_on=date(2026, 3, 1)), make_invoice(
        db, ada, "A-2", due_on=date(2026, 3, 2)
    )


@pytest.fixture
def line(db: Database, invoices: tuple[int, int]) -> int:
    take(db, csv(row("Rechnung A-1")))
    return int(value(db, "SELECT id FROM bank_lines"))


def test_a_statement_is_kept_with_its_account_format_and_period(db: Database) -> None:
    report = take(db, (FILES / "camt053-v02-schema.xml").read_bytes())
    assert (report.lines, report.kept, report.known, report.reversals, report.debits, report.pending) == (
        2,
        2,
        0,
        1,
        1,
        1,
    )
    with db.transaction() as session:
        kept = session.execute(
            text("SELECT account, format, period_from, period_to, imported_by FROM bank_statements")
        ).one()
        lines = session.execute(text("SELECT kind, state, amount FROM bank_lines ORDER BY id")).all()
    assert tuple(kept) == ("DE89370400440532013000", "camt.053", date(2026, 3, 9), date(2026, 3, 10), "test")
    assert [tuple(one) for one in lines] == [("credit", "waiting", 10_000), ("reversal", "waiting", -8_000)]
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'statement.import'") == 1


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.iterdir()))
def test_the_same_file_again_adds_nothing(db: Database, name: str) -> None:
    raw = (FILES / name).read_bytes()
    first, again = take(db, raw), take(db, raw)
    assert first.kept == first.lines > 0
    assert (again.kept, again.known, again.same_file) == (0, first.lines, True)
    assert value(db, "SELECT count(*) FROM bank_lines") == first.lines
    assert value(db, "SELECT count(*) FROM bank_statements") == first.accounts


def test_overlapping_statements_hold_a_line_once_and_equal_transfers_of_a_day_twice(db: Database) -> None:
    first = take(db, csv(row("A-1"), row("A-1"), row("A-2", id="X-1")))
    second = take(db, csv(row("A-1"), row("A-1"), row("A-2 again", id="X-1"), row("A-3")))
    assert (first.kept, second.kept, second.known) == (3, 1, 3)


def test_another_account_has_lines_of_its_own(db: Database) -> None:
    take(db, csv(row("A-1")), account="one")
    assert take(db, csv(row("A-1"), ""), account="two").kept == 1


def test_a_dry_run_counts_and_keeps_nothing(db: Database) -> None:
    take(db, csv(row("A-1")))
    report = take(db, csv(row("A-1"), row("A-2")), dry_run=True)
    assert (report.kept, report.known) == (1, 1)
    assert value(db, "SELECT count(*) FROM bank_lines") == 1
    assert take(db, csv(row("A-1"), row("A-2"))).same_file is False


def test_one_fault_keeps_every_line_out(db: Database) -> None:
    report = take(db, csv(row("A-1"), row("A-2", amount="x")))
    assert [fault.line for fault in report.errors] == [3]
    assert value(db, "SELECT count(*) FROM bank_lines") == value(db, "SELECT count(*) FROM bank_statements") == 0
    assert not notice_is_open(db)


def test_many_imports_of_overlapping_files_at_once_keep_each_line_once(db: Database) -> None:
    rows = [row(f"A-{n}") for n in range(300)]
    files = [csv(*rows[start:], *rows[:start]) for start in range(0, 300, 60)]
    reports: list[StatementReport] = []
    together([lambda raw=raw: reports.append(take(db, raw)) for raw in files])
    assert sum(report.kept for report in reports) == value(db, "SELECT count(*) FROM bank_lines") == 300


def together(acts: list[Callable[[], Any]]) -> list[BaseException | None]:
    """Run at the same moment in real threads; each one's error."""
    gate = threading.Barrier(len(acts))
    errors: list[BaseException | None] = [None] * len(acts)

    def run(index: int) -> None:
        gate.wait()
        try:
            acts[index]()
        except NudgePayError as error:
            errors[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_nothing_is_booked_without_a_persons_word(db: Database, line: int) -> None:
    assert listed(db)[0].proposal.confidence == "sure"
    assert value(db, "SELECT count(*) FROM money_facts") == 0
    assert money(db, "A-1") == ("unpaid", 10_000)


def test_a_confirmed_line_is_a_bank_payment_of_its_day(db: Database, line: int, invoices: tuple[int, int]) -> None:
    fact_id = confirm(db, line, (invoices[0], 10_000))
    with db.transaction() as session:
        kept = session.get_one(BankLine, line)
        fact = session.execute(
            text("SELECT provider, provider_id, kind, amount, occurred_at, actor FROM money_facts")
        ).one()
    assert tuple(fact) == ("bank", kept.dedup_key, "manual", 10_000, at("2026-03-09T12:00"), "ann")
    assert (kept.state, kept.fact_id, kept.decided_by, kept.decided_at) == ("confirmed", fact_id, "ann", NOW)
    assert money(db, "A-1") == ("paid", 0)
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'bank_line.confirm'") == 1


def test_confirming_twice_books_once_and_names_the_payment(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    fact_id = confirm(db, line, (invoices[0], 10_000))
    with pytest.raises(LineDecided, match=f"payment {fact_id}"):
        confirm(db, line, (invoices[1], 10_000), again=True)
    assert value(db, "SELECT count(*) FROM money_facts") == 1


def test_twenty_people_at_once_book_a_line_once(db: Database, line: int, invoices: tuple[int, int]) -> None:
    bolt = make_invoice(db, make_client(db, "bolt"), "B-1")
    targets = [*invoices, bolt]
    with crowded(db) as many:
        acts = [
            lambda n=n: confirm(many, line, (targets[n % 3], 10_000), actor=f"p{n}", again=True) for n in range(20)
        ]
        errors = together(acts)
    assert [error is None for error in errors].count(True) == 1
    assert {type(error) for error in errors if error} == {LineDecided}
    assert value(db, "SELECT count(*) FROM money_facts") == 1
    assert value(db, "SELECT sum(amount_paid) FROM invoices") == 10_000


@contextmanager
def crowded(db: Database) -> Iterator[Database]:
    many = Database(db.url, pool_size=20)
    yield many
    many.close()


def test_two_people_who_decide_the_last_two_lines_at_once_end_the_notice(
    db: Database, invoices: tuple[int, int]
) -> None:
    for attempt in range(5):
        take(db, csv(row(f"x {attempt}"), row(f"y {attempt}")))
        ids = [one.line.id for one in listed(db)]
        assert notice_is_open(db)

        def ignore(line_id: int) -> None:
            with db.transaction() as session:
                ignore_line(session, line_id, now=NOW, actor="ann")

        assert together([lambda id=id: ignore(id) for id in ids]) == [None, None]
        assert not notice_is_open(db)


def test_an_invoice_paid_since_the_proposal_is_not_overpaid_silently(
    db: Database, line: int, invoices: tuple[int, int], ada: int
) -> None:
    chosen = listed(db)[0].proposal.chosen
    assert chosen is not None
    with db.transaction() as session:
        record_payment(
            session,
            client_id=ada,
            amount=4_000,
            currency="EUR",
            provider="stripe",
            provider_id="pi_1",
            kind="payment",
            occurred_at=NOW,
            targets=[{"invoice_id": invoices[0], "amount": 4_000}],
            actor="t",
            now=NOW,
        )
    with pytest.raises(WouldOverpay, match=r"A-1: only €60\.00 is open now"):
        confirm(db, line, *[(part.invoice_id, part.amount) for part in chosen.parts])
    assert (state(db, line), value(db, "SELECT count(*) FROM money_facts")) == ("waiting", 1)
    confirm(db, line, (invoices[0], 10_000), credit=True)
    assert money(db, "A-1")[1] == 0
    assert value(db, "SELECT count(*) FROM notices WHERE kind = 'payment.unapplied_credit'") == 1


def test_two_lines_for_one_invoice_confirmed_at_once_fill_it_once(db: Database, invoices: tuple[int, int]) -> None:
    take(db, csv(row("A-1"), row("A-1 noch einmal", day="2026-03-01")))
    ids = [one.line.id for one in listed(db)]
    errors = together([lambda id=id: confirm(db, id, (invoices[0], 10_000)) for id in ids])
    assert sorted(type(error).__name__ for error in errors) == ["NoneType", "WouldOverpay"]
    assert money(db, "A-1") == ("paid", 0)


def test_money_in_no_part_needs_a_word(db: Database, invoices: tuple[int, int]) -> None:
    take(db, csv(row("A-1", amount="120.00")))
    (one,) = listed(db)
    with pytest.raises(WouldOverpay, match=r"€20\.00 of line \d+ is in no part"):
        confirm(db, one.line.id, (invoices[0], 10_000))
    confirm(db, one.line.id, (invoices[0], 10_000), credit=True)
    assert money(db, "A-1") == ("overpaid", 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "name at least one invoice"),
        ([(0, 5_000), (0, 5_000)], "each once"),
        ([(0, 10_001)], "more than the line's"),
        ([(0, 0), (1, 10_000)], "more than zero"),
        ([(0, 5_000), (2, 5_000)], "of one client"),
        ([(3, 10_000)], "A-3 is in USD and the money in EUR"),
        ([(9, 10_000)], "of one client"),
    ],
)
def test_parts_that_cannot_be_are_refused_and_nothing_changes(
    db: Database, line: int, invoices: tuple[int, int], ada: int, parts: list[tuple[int, int]], message: str
) -> None:
    bolt = make_invoice(db, make_client(db, "bolt"), "B-1")
    dollars = make_invoice(db, ada, "A-3", currency="USD")
    ids = {0: invoices[0], 1: invoices[1], 2: bolt, 3: dollars, 9: 999}
    with pytest.raises(UsageError, match=message):
        confirm(db, line, *[(ids[index], amount) for index, amount in parts])
    assert (state(db, line), value(db, "SELECT count(*) FROM money_facts")) == ("waiting", 0)


def test_a_void_invoice_takes_no_money(db: Database, line: int, invoices: tuple[int, int]) -> None:
    with db.transaction() as session:
        close_invoice(session, session.get_one(Invoice, invoices[0]), status="void", now=NOW, actor="t")
    with pytest.raises(WouldOverpay, match="A-1 is void"):
        confirm(db, line, (invoices[0], 10_000))
    assert "A-1 (void) is named, but nothing is open on it" in listed(db)[0].proposal.notes


def test_an_unknown_line_is_not_found(db: Database, invoices: tuple[int, int]) -> None:
    for act in (lambda: confirm(db, 99, (invoices[0], 1)), lambda: listed_one(db, 99)):
        with pytest.raises(NotFound, match="there is no line 99"):
            act()


def listed_one(db: Database, line_id: int) -> Listed:
    with db.transaction() as session:
        return propose_one(session, line_id, now=NOW)


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_a_transfer_recorded_by_hand_before_is_warned_of_and_needs_a_word(
    db: Database, line: int, invoices: tuple[int, int], days: int
) -> None:
    with db.transaction() as session:
        occurred = at("2026-03-09T23:30") + timedelta(days=days)
        booked = record_transfer(session, numbers=["A-2"], amount="100.00", occurred_at=occurred, now=NOW, actor="t")
    (one,) = listed(db)
    assert [twin.fact_id for twin in one.twins] == [booked.fact_id]
    with pytest.raises(SameTransfer, match=f"payment {booked.fact_id} of"):
        confirm(db, line, (invoices[0], 10_000))
    confirm(db, line, (invoices[0], 10_000), again=True)
    assert value(db, "SELECT count(*) FROM money_facts") == 2


@pytest.mark.parametrize(
    "changes", [{"amount": "99.99"}, {"days": 4}, {"days": -4}, {"undo": True}, {"number": "B-1"}]
)
def test_another_transfer_is_no_warning(
    db: Database, line: int, invoices: tuple[int, int], changes: dict[str, Any]
) -> None:
    make_invoice(db, make_client(db, "bolt"), "B-1")
    occurred = at("2026-03-09T12:00") + timedelta(days=changes.get("days", 0))
    with db.transaction() as session:
        numbers = [changes.get("number", "A-2")]
        amount = changes.get("amount", "100.00")
        booked = record_transfer(session, numbers=numbers, amount=amount, occurred_at=occurred, now=NOW, actor="t")
        if changes.get("undo"):
            undo_payment(session, booked.fact_id, now=NOW, actor="t")
    assert listed(db)[0].twins == ()
    confirm(db, line, (invoices[0], 10_000))


def test_the_same_transfer_in_two_formats_is_warned_of(db: Database, line: int, invoices: tuple[int, int]) -> None:
    take(db, (FILES / "camt053-v02-schema.xml").read_bytes())
    confirm(db, line, (invoices[0], 5_000), (invoices[1], 5_000))
    camt = next(one for one in listed(db) if one.line.kind == "credit")
    assert camt.twins
    with pytest.raises(SameTransfer):
        confirm(db, camt.line.id, (invoices[1], 5_000), credit=True)


def test_an_undone_payment_makes_its_line_wait_again_and_it_can_be_confirmed_anew(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    for attempt in range(3):
        fact_id = confirm(db, line, (invoices[attempt % 2], 10_000))
        assert not notice_is_open(db)
        with db.transaction() as session:
            undo_payment(session, fact_id, now=NOW, actor="ann")
        assert (state(db, line), notice_is_open(db)) == ("waiting", True)
        assert money(db, "A-1") == money(db, "A-2") == ("unpaid", 10_000)
    confirm(db, line, (invoices[1], 10_000))
    assert money(db, "A-2") == ("paid", 0)
    assert value(db, "SELECT count(DISTINCT provider_id) FROM money_facts") == 4
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'bank_line.reopen'") == 3


def test_undoing_and_confirming_at_once_end_in_one_of_both_orders(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    fact_id = confirm(db, line, (invoices[0], 10_000))

    def undo() -> None:
        with db.transaction() as session:
            undo_payment(session, fact_id, now=NOW, actor="ann")

    errors = together([undo, lambda: confirm(db, line, (invoices[1], 10_000))])
    assert errors[0] is None
    live = value(db, "SELECT count(*) FROM money_facts WHERE voided_at IS NULL")
    assert (state(db, line), live) == (("waiting", 0) if errors[1] else ("confirmed", 1))


def test_an_ignored_line_is_silent_and_can_be_taken_up_again(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    with db.transaction() as session:
        ignore_line(session, line, now=NOW, actor="ann", reason="private")
    assert (listed(db), notice_is_open(db)) == ([], False)
    assert [one.line.reason for one in listed(db, everything=True)] == ["private"]
    with pytest.raises(LineDecided, match=f"statements reopen {line}"):
        confirm(db, line, (invoices[0], 10_000))
    for _ in range(2):
        with db.transaction() as session:
            take_up_line(session, line, actor="ann")
    assert notice_is_open(db)
    confirm(db, line, (invoices[0], 10_000))
    with pytest.raises(LineDecided), db.transaction() as session:
        take_up_line(session, line, actor="ann")
    acts = "SELECT count(*) FROM audit_events WHERE action IN ('bank_line.ignore', 'bank_line.take_up')"
    assert value(db, acts) == 2


def test_an_audit_row_holds_no_text_of_a_person(db: Database, line: int, invoices: tuple[int, int]) -> None:
    with db.transaction() as session:
        ignore_line(session, line, now=NOW, actor="ann", reason="Ada's private money")
    told = value(db, "SELECT string_agg(concat(before, after, subject), ' ') FROM audit_events")
    assert "Ada" not in told
    assert "Rechnung" not in told


def test_a_reversal_can_only_be_ignored(db: Database, invoices: tuple[int, int]) -> None:
    take(db, (FILES / "camt053-v08-batch.xml").read_bytes())
    reversal = next(one for one in listed(db) if one.line.kind == "reversal")
    assert (reversal.proposal.confidence, reversal.proposal.options) == ("none", ())
    with pytest.raises(NotAPayment, match="undo the payment"):
        confirm(db, reversal.line.id, (invoices[0], 4_000), credit=True, again=True)
    with db.transaction() as session:
        ignore_line(session, reversal.line.id, now=NOW, actor="ann")
    assert state(db, reversal.line.id) == "ignored"


def test_money_of_the_future_is_not_booked(db: Database, invoices: tuple[int, int]) -> None:
    take(db, csv(row("A-1", day="2026-04-01")))
    (one,) = listed(db)
    with pytest.raises(UsageError, match="in the future"):
        confirm(db, one.line.id, (invoices[0], 10_000))


def test_a_confirmation_that_is_rolled_back_leaves_nothing(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    with pytest.raises(RuntimeError), db.transaction() as session:
        confirm_line(session, line, [{"invoice_id": invoices[0], "amount": 10_000}], now=NOW, actor="ann")
        raise RuntimeError("killed")
    assert (state(db, line), money(db, "A-1")) == ("waiting", ("unpaid", 10_000))
    assert value(db, "SELECT count(*) FROM money_facts") == 0


def test_parts_are_read_as_number_and_amount_or_take_what_is_left(
    db: Database, line: int, invoices: tuple[int, int]
) -> None:
    with db.transaction() as session:
        assert parse_parts(session, line, ["A-2=40.00", "A-1"]) == [
            {"invoice_id": invoices[1], "amount": 4_000},
            {"invoice_id": invoices[0], "amount": 6_000},
        ]
        for bad in (["A-1=x"], ["A-1=0"], ["A-1", "A-2"], ["A-1=-1"]):
            with pytest.raises(UsageError):
                parse_parts(session, line, bad)
        with pytest.raises(NotFound):
            parse_parts(session, line, ["Z-9=1"])


def statements_run(db: Database) -> list[str]:
    """What is asked of the database while the waiting lines are listed."""
    seen: list[str] = []

    def listen(*given: Any) -> None:
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", listen)
    listed(db)
    event.remove(db.engine, "before_cursor_execute", listen)
    return seen


def test_the_number_of_queries_does_not_grow_with_the_lines(db: Database, ada: int) -> None:
    counts = []
    for size in (10, 400):
        for n in range(size // 10):
            make_invoice(db, ada, f"S{size}-{n}", amount=1_000 + n)
        take(db, csv(*[row(f"S{size}-{n} {n}", amount="10.00") for n in range(size)]))
        counts.append(len(statements_run(db)))
    assert counts[0] == counts[1] <= 5


def test_fifty_thousand_lines_stay_below_200_megabytes(
    database_url: str, db: Database, figures: Callable[..., None]
) -> None:
    client_ids = [make_client(db, f"client{n}") for n in range(20)]
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token)"
                " SELECT 'RE-2026-' || lpad(n::text, 5, '0'), (:ids)[1 + n % 20], 'EUR', 10000 + n % 50, 10000 + n % 50,"
                " '2026-02-01', '2026-03-01', 't' || n FROM generate_series(1, 5000) n"
            ).bindparams(ids=client_ids)
        )
    script = (
        "import re, sys, time\n"
        "from datetime import UTC, datetime\n"
        "from nudgepay.db import Database\n"
        "from nudgepay.payments.statements.queries import list_lines\n"
        "from nudgepay.payments.statements.storing import import_statement\n"
        f"rows = [{HEADER!r}]\n"
        "row = '2026-03-09,{0}.{1:02d},EUR,Client{2},E2E-{3},Rechnung RE 2026 {3:05d} vom 01.02.2026 Danke,B-{3}'\n"
        "rows += [row.format(100 + n % 3, n % 50, n % 20, n) for n in range(50000)]\n"
        "raw = '\\n'.join(rows).encode()\n"
        "del rows\n"
        "now = datetime(2026, 3, 13, tzinfo=UTC)\n"
        "db = Database(sys.argv[1])\n"
        "began = time.monotonic()\n"
        "kept = import_statement(db, raw, now=now, actor='test').kept\n"
        "imported = time.monotonic()\n"
        "with db.transaction() as session:\n"
        "    sure = sum(one.proposal.confidence == 'sure' for one in list_lines(session, now=now))\n"
        "ended = time.monotonic()\n"
        "status = open('/proc/self/status').read()\n"
        "print(kept, sure, round(imported - began), round(ended - imported), re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, database_url], capture_output=True, text=True, check=True)
    kept, sure, importing, matching, kilobytes = map(int, done.stdout.split())
    figures("statement", n=kept, sure=sure, import_s=importing, matching_s=matching, rss_mb=round(kilobytes / 1024))
    assert kept == 50_000
    assert 0 < sure < 5_000
    assert kilobytes < 200 * 1024
