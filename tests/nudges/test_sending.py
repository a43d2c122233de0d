"""The sending pass on real rows: each occurrence once, every silence explained."""

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, due_clients, outbox_of, rows, states, value


def test_a_due_step_becomes_one_accepted_letter(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    outbox = outbox_of(settings)
    report = run_sending(db, transport=outbox, terms=terms_of(settings), now=MONDAY)
    assert (report.counts["accepted"], len(report.letters), len(report.reminders)) == (1, 1, 1)
    (letter,) = rows(db, "SELECT * FROM letters")
    assert letter.state == "accepted"
    assert (letter.sending_at, letter.accepted_at) == (MONDAY, MONDAY)
    assert letter.message_id.encode() in letter.mime
    assert (outbox.directory / f"{letter.message_id[1:].partition('@')[0]}.eml").read_bytes() == bytes(letter.mime)
    assert states(db) == {"accepted": 1, "skipped": 1}
    assert value(db, "SELECT reason FROM reminders WHERE step = 'T-3'") == "superseded"
