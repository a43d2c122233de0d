"""The outbox: whole files, each Message-ID once, exact look-up."""

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nudgepay.gateways.mail import BadAddress, Envelope, SenderNotReady, TooLate
from nudgepay.gateways.outbox import Outbox

SINCE = datetime(2026, 3, 2, tzinfo=UTC)


def _envelope(letter: uuid.UUID | None = None, mime: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Envelope:
    name = f"<np.{letter or uuid.uuid4()}.1@atelier.example>"
    return Envelope(name, "billing@atelier.example", "ada@client.example", mime)


def test_a_letter_becomes_one_whole_file_named_after_it(tmp_path: Path) -> None:
    letter = uuid.uuid4()
    outbox = Outbox(tmp_path / "outbox")
    receipt = outbox.deliver(_envelope(letter), may_begin=lambda: True)
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [f"np.{letter}.1.eml"]
    assert (tmp_path / "outbox" / f"np.{letter}.1.eml").read_bytes() == b"Subject: x\r\n\r\nhello\r\n"
    assert not receipt.repeated


def test_the_same_message_id_is_detected_and_the_first_text_stays(tmp_path: Path) -> None:
    letter = uuid.uuid4()
    outbox = Outbox(tmp_path)
    outbox.deliver(_envelope(letter, b"first"), may_begin=lambda: True)
    assert outbox.deliver(_envelope(letter, b"second"), may_begin=lambda: True).repeated
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_of_many_writers_at_once_exactly_one_is_the_first(tmp_path: Path) -> None:
    envelope = _envelope()
    outbox = Outbox(tmp_path)
    together = threading.Barrier(8)
    repeated: list[bool] = []

    def write() -> None:
        together.wait()
        repeated.append(outbox.deliver(envelope, may_begin=lambda: True).repeated)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(repeated) == [False] + [True] * 7
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_is_left_behind_when_it_is_too_late(tmp_path: Path) -> None:
    with pytest.raises(TooLate):
        Outbox(tmp_path).deliver(_envelope(), may_begin=lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_a_sender_that_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the directory should be")
    with pytest.raises(SenderNotReady):
        Outbox(tmp_path / "outbox").deliver(_envelope(), may_begin=lambda: True)


def test_a_recipient_that_is_no_mailbox_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadAddress):
        envelope = _envelope()
        Outbox(tmp_path).deliver(
            Envelope(envelope.message_id, envelope.sender, "a@x.example,b@y.example", b""), may_begin=lambda: True
        )
    assert list(tmp_path.iterdir()) == []


def test_it_finds_exactly_what_it_stored(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    known, other = _envelope(), _envelope()
    outbox.deliver(known, may_begin=lambda: True)
    assert outbox.find(known.message_id, since=SINCE).verdict == "accepted"
    assert outbox.find(other.message_id, since=SINCE).verdict == "absent"


def test_it_cannot_tell_when_its_directory_is_gone(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "gone").find(_envelope().message_id, since=SINCE).verdict == "cannot_tell"
