"""The SMTP transport against a scripted relay on loopback: every answer means what it must."""

import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nudgepay.gateways.fakes.smtp_session import Manners
from nudgepay.gateways.fakes.smtp_sink import SinkReceipts, SmtpSink
from nudgepay.gateways.fakes.smtp_turns import (
    ACCEPT,
    ACCEPT_THEN_HANG_UP,
    DRIP,
    HANG_UP_BEFORE_STORING,
    NEVER_ANSWER,
    STORE_AND_NEVER_ANSWER,
    Turn,
    refuse,
)
from nudgepay.gateways.mail import (
    BadAddress,
    Envelope,
    MailError,
    OutcomeUnknown,
    PermanentRefusal,
    SenderNotReady,
    TemporaryRefusal,
    TooLate,
)
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
Open = Callable[..., SmtpTransport]


def envelope(recipient: str = "ada@client.example", body: bytes = b"hello\r\n") -> Envelope:
    message_id = f"<np.{uuid.uuid4()}.1@atelier.example>"
    mime = b"Message-ID: " + message_id.encode() + b"\r\nSubject: x\r\n\r\n" + body
    return Envelope(message_id, "billing@atelier.example", recipient, mime)


def yes() -> bool:
    return True


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SmtpSink]:
    with SmtpSink(tmp_path / "journal.jsonl") as sink:
        yield sink


@pytest.fixture
def open_transport() -> Iterator[Open]:
    opened: list[SmtpTransport] = []

    def make(
        sink: SmtpSink, *, context: ssl.SSLContext | None = None, pool_size: int = 2, **relay: object
    ) -> SmtpTransport:
        settings = {"security": "none", "step_timeout": 1.0, "total": 2.0} | relay
        password = settings.pop("password", None)
        made = SmtpTransport(
            Relay(sink.host, sink.port, helo="atelier.example", **settings),  # type: ignore[arg-type]
            context=context,
            pool_size=pool_size,
            password=lambda: password,  # type: ignore[return-value]
        )
        opened.append(made)
        return made

    yield make
    for transport in opened:
        transport.close()


def test_a_letter_arrives_once_byte_for_byte(sink: SmtpSink, open_transport: Open) -> None:
    letter = envelope(body=b"..leading dots\r\n.\r\nstill the same letter\r\n")
    receipt = open_transport(sink).deliver(letter, may_begin=yes)
    (kept,) = sink.kept()
    assert receipt.reply.startswith("250")
    assert kept["content"].encode("latin-1") == letter.mime
    assert kept["recipients"] == ["ada@client.example"]


def test_bare_line_ends_cannot_smuggle_a_second_letter(sink: SmtpSink, open_transport: Open) -> None:
    smuggled = b"hi\n.\nMAIL FROM:<x@y.example>\r.\rRCPT TO:<z@y.example>\n.\r\nDATA\r\n"
    open_transport(sink).deliver(envelope(body=smuggled), may_begin=yes)
    (kept,) = sink.kept()
    assert b"\r\n.\r\nMAIL FROM:<x@y.example>\r\n" in kept["content"].encode("latin-1")


def test_letters_share_a_conversation_and_survive_its_end(sink: SmtpSink, open_transport: Open) -> None:
    transport = open_transport(sink, pool_size=1)
    for _ in range(3):
        transport.deliver(envelope(), may_begin=yes)
    for session in sink.sessions():
        session.hang_up()
        session.join()
    transport.deliver(envelope(), may_begin=yes)
    assert len(sink.kept()) == 4
    assert sink.conversations == 2


def test_it_asks_at_the_last_moment_and_keeps_the_letter_back(sink: SmtpSink, open_transport: Open) -> None:
    transport = open_transport(sink)
    with pytest.raises(TooLate):
        transport.deliver(envelope(), may_begin=lambda: False)
    assert sink.kept() == []
    transport.deliver(envelope(), may_begin=yes)
    assert len(sink.kept()) == 1


@pytest.mark.parametrize("code", [421, 450, 451, 452])
@pytest.mark.parametrize("at", ["RCPT", "DATA", "message"])
def test_a_4yz_answer_is_temporary_and_the_next_try_is_taken(
    sink: SmtpSink, open_transport: Open, code: int, at: str
) -> None:
    sink.script.plan(refuse(code, at=at))  # type: ignore[arg-type]
    transport = open_transport(sink)
    letter = envelope()
    with pytest.raises(TemporaryRefusal) as caught:
        transport.deliver(letter, may_begin=yes)
    assert caught.value.code == code
    transport.deliver(letter, may_begin=yes)
    assert [kept["message_id"] for kept in sink.kept()] == [letter.message_id]


@pytest.mark.parametrize(
    ("turn", "bad_address"),
    [
        (refuse(550, text="5.1.1 nobody here"), True),
        (refuse(550, text="no such user"), True),
        (refuse(550, text="5.7.1 we do not like you"), False),
        (refuse(552, text="5.2.2 mailbox full"), False),
        (refuse(553, text="5.1.3 bad syntax"), True),
        (refuse(553, text="not here"), False),
        (refuse(550, at="DATA"), False),
        (refuse(554, at="message", text="5.6.0 no"), False),
        (refuse(552, at="message", text="5.3.4 too big"), False),
    ],
)
def test_a_5yz_answer_is_permanent_and_only_a_missing_mailbox_is_a_bad_address(
    sink: SmtpSink, open_transport: Open, turn: Turn, bad_address: bool
) -> None:
    sink.script.plan(turn)
    with pytest.raises(PermanentRefusal) as caught:
        open_transport(sink).deliver(envelope(), may_begin=yes)
    assert (caught.value.code, caught.value.bad_address) == (turn.code, bad_address)
    assert sink.kept() == []
    assert "ada" not in str(caught.value)


def test_a_refusal_of_the_message_itself_is_never_taken_for_acceptance(sink: SmtpSink, open_transport: Open) -> None:
    sink.script.plan(*[refuse(554, at="message")] * 3, *[ACCEPT] * 2)
    transport = open_transport(sink)
    outcomes = []
    for _ in range(5):
        try:
            transport.deliver(envelope(), may_begin=yes)
            outcomes.append("sent")
        except PermanentRefusal:
            outcomes.append("refused")
    assert outcomes.count("sent") == len(sink.kept()) == 2


@pytest.mark.parametrize(
    ("turn", "kept"),
    [
        (ACCEPT_THEN_HANG_UP, 1),
        (HANG_UP_BEFORE_STORING, 0),
        (STORE_AND_NEVER_ANSWER, 1),
        (NEVER_ANSWER, 0),
        (DRIP, 1),
        (Turn(code=252, text="2.0.0 perhaps", stored=False), 0),
    ],
)
def test_silence_after_the_message_leaves_it_in_doubt_and_the_journal_tells(
    sink: SmtpSink, open_transport: Open, turn: Turn, kept: int
) -> None:
    sink.script.plan(turn)
    letter = envelope()
    with pytest.raises(OutcomeUnknown):
        open_transport(sink, step_timeout=0.4, total=0.6).deliver(letter, may_begin=yes)
    assert len(sink.kept()) == kept
    verdict = SinkReceipts(sink.journal).find(letter.message_id, since=SINCE).verdict
    assert verdict == ("accepted" if kept else "absent")


@pytest.mark.parametrize("manner", ["hang_up", "silence", "drip"])
def test_trouble_before_the_message_leaves_no_doubt(sink: SmtpSink, open_transport: Open, manner: str) -> None:
    turn = Turn(stage="RCPT", manner=manner, code=250, text="2.1.5 a slow but long answer", stored=False)  # type: ignore[arg-type]
    sink.script.plan(turn)
    with pytest.raises(SenderNotReady):
        open_transport(sink, step_timeout=0.4, total=0.6).deliver(envelope(), may_begin=yes)
    assert sink.kept() == []


def test_a_relay_that_cannot_be_reached_is_left_alone_longer_each_time(sink: SmtpSink, open_transport: Open) -> None:
    transport = open_transport(sink)
    sink.stop()
    waits = []
    for _ in range(5):
        with pytest.raises(SenderNotReady) as caught:
            transport.deliver(envelope(), may_begin=yes)
        waits.append(caught.value)
    assert "left alone" in str(waits[-1])


def test_our_sender_refused_says_nothing_about_the_letter(sink: SmtpSink, open_transport: Open) -> None:
    sink.script.plan(refuse(553, at="MAIL", text="5.7.1 not yours"))
    with pytest.raises(SenderNotReady, match="FROM_EMAIL"):
        open_transport(sink).deliver(envelope(), may_begin=yes)


def test_an_address_list_never_reaches_the_relay(sink: SmtpSink, open_transport: Open) -> None:
    for recipient in ("a@x.example,b@y.example", "a@x.example>\r\nRCPT TO:<b@y.example"):
        with pytest.raises(BadAddress):
            open_transport(sink).deliver(envelope(recipient), may_begin=yes)
    assert sink.kept() == []


def _certificate(tmp_path: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "server.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_signs_in_and_sends_inside_tls(tmp_path: Path, open_transport: Open, security: str) -> None:
    server, trusting = _certificate(tmp_path, "localhost")
    manners = Manners(
        tls=server,
        offers_starttls=security == "starttls",
        implicit_tls=security == "tls",
        credentials=("billing", "s3cret"),
    )
    with SmtpSink(tmp_path / "journal.jsonl", manners=manners) as sink:
        sink.host = "localhost"
        transport = open_transport(sink, context=trusting, security=security, username="billing", password="s3cret")
        transport.deliver(envelope(), may_begin=yes)
        assert [kept["encrypted"] for kept in sink.kept()] == [True]


def test_a_wrong_password_is_a_sender_that_is_not_ready_and_is_not_repeated(
    tmp_path: Path, open_transport: Open
) -> None:
    server, trusting = _certificate(tmp_path, "localhost")
    manners = Manners(tls=server, offers_starttls=True, credentials=("billing", "s3cret"))
    with SmtpSink(tmp_path / "journal.jsonl", manners=manners) as sink:
        sink.host = "localhost"
        transport = open_transport(sink, context=trusting, security="starttls", username="billing", password="wr0ng")
        with pytest.raises(SenderNotReady) as caught:
            transport.deliver(envelope(), may_begin=yes)
    assert "wr0ng" not in str(caught.value)


def test_nothing_is_said_in_clear_when_starttls_is_stripped(tmp_path: Path, open_transport: Open) -> None:
    manners = Manners(offers_starttls=False, credentials=("billing", "s3cret"))
    with SmtpSink(tmp_path / "journal.jsonl", manners=manners) as sink:
        transport = open_transport(sink, security="starttls", username="billing", password="s3cret")
        with pytest.raises(SenderNotReady, match="STARTTLS"):
            transport.deliver(envelope(), may_begin=yes)
        assert sink.verbs() == ["EHLO"]
        assert sink.kept() == []


@pytest.mark.parametrize("name", ["localhost", "other.example"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_said_to_a_relay_whose_certificate_is_wrong(
    tmp_path: Path, open_transport: Open, name: str, security: str
) -> None:
    server, trusting = _certificate(tmp_path, name)
    manners = Manners(tls=server, offers_starttls=security == "starttls", implicit_tls=security == "tls")
    with SmtpSink(tmp_path / "journal.jsonl", manners=manners) as sink:
        sink.host = "localhost"
        context = trusting if name == "other.example" else ssl.create_default_context()
        transport = open_transport(sink, context=context, security=security, username="billing", password="s3cret")
        with pytest.raises(MailError, match="certificate"):
            transport.deliver(envelope(), may_begin=yes)
        assert set(sink.verbs()) <= {"EHLO", "STARTTLS"}


def test_credentials_are_not_sent_in_clear_to_another_host(sink: SmtpSink, open_transport: Open) -> None:
    sink.host = "localhost."
    transport = open_transport(sink, security="none", username="billing", password="s3cret")
    with pytest.raises(SenderNotReady):
        transport.deliver(envelope(), may_begin=yes)
    assert "AUTH" not in sink.verbs()


def test_a_letter_is_kept_back_even_after_the_relay_said_go_on(sink: SmtpSink, open_transport: Open) -> None:
    answers = iter([True, False, True, True])
    transport = open_transport(sink)
    with pytest.raises(TooLate):
        transport.deliver(envelope(), may_begin=lambda: next(answers))
    assert "DATA" in sink.verbs()
    transport.deliver(envelope(), may_begin=lambda: next(answers))
    assert len(sink.kept()) == 1


def test_a_relay_that_grew_tired_of_waiting_is_called_again(tmp_path: Path, open_transport: Open) -> None:
    with SmtpSink(tmp_path / "journal.jsonl", manners=Manners(idle_seconds=0.2)) as sink:
        transport = open_transport(sink)
        transport.deliver(envelope(), may_begin=yes)
        for session in sink.sessions():
            session.join()
        transport.deliver(envelope(), may_begin=yes)
        assert len(sink.kept()) == 2


def test_a_scripted_turn_waits_for_an_attempt_that_reaches_it(sink: SmtpSink, open_transport: Open) -> None:
    sink.script.plan(refuse(554, at="message"), recipient="ada@client.example")
    transport = open_transport(sink)
    with pytest.raises(TooLate):
        transport.deliver(envelope(), may_begin=lambda: False)
    with pytest.raises(PermanentRefusal):
        transport.deliver(envelope(), may_begin=yes)
