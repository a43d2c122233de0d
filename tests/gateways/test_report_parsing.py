"""Returned mail is understood exactly as far as it proves something, and never an error."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.gateways.mail import DeliveryReport
from nudgepay.gateways.report_parsing import read_message

NAME = "<np.0a77f0b9-3ed1-483c-bfaf-4ae2bcad65ac.1@atelier.example>"
LETTER_HEADERS = f"From: billing@atelier.example\nTo: ada@client.example\nMessage-ID: {NAME}\nSubject: Rechnung A-1\n"


def status_notice(groups: str, *, returned: str = LETTER_HEADERS, as_letter: bool = True) -> bytes:
    """A notification as RFC 3464 lays it out: text, the groups of fields, and what came back."""
    kind = "message/rfc822" if as_letter else "text/rfc822-headers"
    body = f"{returned}\nDear Ada,\n" if as_letter else returned
    return (
        "From: MAILER-DAEMON@relay.example (Mail Delivery System)\n"
        "To: billing@atelier.example\nSubject: Undelivered Mail Returned to Sender\n"
        "Date: Mon, 02 Mar 2026 11:00:00 +0100\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nYour message could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; relay.example\nArrival-Date: Mon, 02 Mar 2026 10:00:00 +0100\n\n"
        f"{groups}\n"
        f"--b\nContent-Type: {kind}\n\n{body}\n--b--\n"
    ).encode()


FAILED = "Final-Recipient: rfc822; ada@client.example\nOriginal-Recipient: rfc822;ada@client.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n"


def reports(raw: bytes) -> tuple[DeliveryReport, ...]:
    return read_message(raw, source="mailbox").reports


@pytest.mark.parametrize("as_letter", [True, False])
def test_a_failure_names_the_letter_the_address_and_the_status(as_letter: bool) -> None:
    (found,) = reports(status_notice(FAILED, as_letter=as_letter))
    assert found == DeliveryReport(
        NAME, "bounced", "ada@client.example", "5.1.1", datetime(2026, 3, 2, 10, tzinfo=UTC), "mailbox"
    )
    assert found.is_bad_address


def test_every_recipient_of_a_report_is_read() -> None:
    second = FAILED.replace("ada@", "ben@").replace("failed", "delivered").replace("5.1.1", "2.0.0")
    assert [(one.recipient, one.fate) for one in reports(status_notice(f"{FAILED}\n{second}"))] == [
        ("ada@client.example", "bounced"),
        ("ben@client.example", "delivered"),
    ]


@pytest.mark.parametrize(
    ("status", "is_bad_address"),
    [("5.1.1", True), ("5.1.10", True), ("5.2.1", True), ("5.2.2", False), ("5.7.1", False), ("4.4.7", False)],
)
def test_only_a_missing_mailbox_is_a_bad_address(status: str, is_bad_address: bool) -> None:
    (found,) = reports(status_notice(FAILED.replace("5.1.1", status)))
    assert found.is_bad_address is is_bad_address


def test_a_delay_is_no_end() -> None:
    assert read_message(status_notice(FAILED.replace("failed", "delayed")), source="x").kind == "delayed"


def test_a_report_about_somebody_elses_mail_is_none_of_ours() -> None:
    foreign = LETTER_HEADERS.replace(NAME, "<4711@other.example>")
    assert read_message(status_notice(FAILED, returned=foreign), source="x").reports == ()


def test_a_complaint_names_the_letter() -> None:
    raw = (
        "From: fbl@provider.example\nSubject: abuse report\nDate: Mon, 02 Mar 2026 10:00:00 +0000\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nThis is an abuse report.\n"
        "--b\nContent-Type: message/feedback-report\n\n"
        "Feedback-Type: abuse\nUser-Agent: Example/1.0\nVersion: 1\nOriginal-Rcpt-To: <ada@client.example>\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{LETTER_HEADERS}\nDear Ada,\n--b--\n"
    )
    (found,) = reports(raw.encode())
    assert (found.fate, found.recipient, found.message_id) == ("complained", "ada@client.example", NAME)
    assert reports(raw.replace("abuse\nUser", "not-spam\nUser").encode()) == ()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ("Auto-Submitted: auto-replied\n", "auto_reply"),
        ("Auto-Submitted: auto-replied (vacation)\n", "auto_reply"),
        ("Precedence: auto_reply\n", "auto_reply"),
        ("X-Autoreply: yes\n", "auto_reply"),
        ("Auto-Submitted: no\n", "other"),
        ("", "other"),
    ],
)
def test_an_automatic_answer_is_known_and_left_alone(headers: str, kind: str) -> None:
    found = read_message(
        f"From: ada@client.example\n{headers}Subject: Re: Rechnung\n\nI am away.\n".encode(), source="x"
    )
    assert (found.kind, found.reports) == (kind, ())


@pytest.mark.parametrize("when", ["Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400", "soon", ""])
def test_a_date_that_cannot_be_is_no_date_and_no_error(when: str) -> None:
    raw = status_notice(FAILED).replace(b"Mon, 02 Mar 2026 11:00:00 +0100", when.encode())
    (found,) = reports(raw)
    assert found.at is None or 1 < found.at.year < 9999


def test_a_whole_megabyte_too_much_is_not_even_parsed() -> None:
    assert read_message(status_notice(FAILED) + b"x" * 3_000_000, source="x").kind == "other"


@given(st.binary(max_size=400), st.integers(0, 1_200))
def test_no_message_makes_the_parser_fall_over(noise: bytes, at: int) -> None:
    raw = status_notice(FAILED)
    for message in (noise, raw[:at] + noise + raw[at:], raw[:at]):
        found = read_message(message, source="x")
        assert bool(found.reports) == (found.kind == "reports")
        assert {report.message_id for report in found.reports} <= {NAME}


def test_nesting_without_end_is_no_report() -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3_000))
    assert read_message(b"Subject: x\n" + deep, source="x").reports == ()
