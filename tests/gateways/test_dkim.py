"""A signature that holds at the receiver, covers what must not be changed, and fails closed."""

import os
from collections.abc import Callable
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from nudgepay.errors import UsageError
from nudgepay.gateways.dkim_signing import DkimSigner, SigningTransport, signer_from
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.mail import Envelope, SenderNotReady
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay
from nudgepay.nudges.letter import write_letter
from nudges.letter_builders import letter

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey = KEY) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def dns(key: rsa.RSAPrivateKey = KEY) -> Callable[..., bytes]:
    """What a resolver would find: the public half, and nothing else."""
    import base64

    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def found(name: bytes, timeout: int = 5) -> bytes:
        return record if name.rstrip(b".") == b"np1._domainkey.atelier.example" else b""

    return found


def signed() -> bytes:
    return DkimSigner(domain="atelier.example", selector="np1", key=pem()).sign(write_letter(letter()).mime)


def test_a_receiver_finds_the_signature_good() -> None:
    assert dkim.verify(signed(), dnsfunc=dns())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert not dkim.verify(signed(), dnsfunc=dns(other))


@pytest.mark.parametrize(
    "name", ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"]
)
def test_what_matters_cannot_be_changed(name: str) -> None:
    head, _, body = signed().partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    at = next(n for n, line in enumerate(lines) if line.lower().startswith(name.lower().encode() + b":"))
    lines[at] += b" x"
    assert not dkim.verify(b"\r\n".join(lines) + b"\r\n\r\n" + body, dnsfunc=dns())


def test_nothing_can_be_added_to_the_body() -> None:
    assert not dkim.verify(signed() + b"One more line\r\n", dnsfunc=dns())


@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Date"])
def test_no_second_header_can_be_added_above_or_below(name: bytes) -> None:
    head, _, body = signed().partition(b"\r\n\r\n")
    assert not dkim.verify(name + b": other\r\n" + head + b"\r\n\r\n" + body, dnsfunc=dns())
    assert not dkim.verify(head + b"\r\n" + name + b": other\r\n\r\n" + body, dnsfunc=dns())


def test_letters_are_signed_on_the_way_to_the_relay_and_survive_it(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem())
    written = write_letter(letter())
    with SmtpSink(tmp_path / "journal.jsonl") as sink:
        smtp = SmtpTransport(Relay("127.0.0.1", sink.port, "none", "atelier.example"))
        current = signer_from(domain="atelier.example", selector="np1", key_file=tmp_path / "key.pem")
        transport = SigningTransport(smtp, current)
        name = "<np.0a77f0b9-3ed1-483c-bfaf-4ae2bcad65ac.1@atelier.example>"
        transport.deliver(
            Envelope(name, "b@atelier.example", "ada@client.example", written.mime), may_begin=lambda: True
        )
        transport.close()
        (kept,) = sink.kept()
    assert dkim.verify(kept["content"].encode("latin-1"), dnsfunc=dns())


def test_a_new_key_is_picked_up_and_a_missing_one_lets_nothing_leave(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem())
    current = signer_from(domain="atelier.example", selector="np1", key_file=file)
    first = current()
    assert current() is first
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(pem(other))
    os.utime(file, (1, 1))
    assert dkim.verify(current().sign(write_letter(letter()).mime), dnsfunc=dns(other))

    class Nowhere:
        concurrency = 1

        def deliver(self, *_: object, **__: object) -> None:
            raise AssertionError("it left unsigned")

        def close(self) -> None:
            """Nothing."""

    file.unlink()
    with pytest.raises(SenderNotReady, match="DKIM_KEY_FILE"):
        SigningTransport(Nowhere(), current).deliver(
            Envelope("<x>", "b@atelier.example", "ada@client.example", b"From: x\r\n\r\n"), may_begin=lambda: True
        )


def test_a_key_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="DKIM_KEY_FILE"):
        DkimSigner(domain="atelier.example", selector="np1", key=b"no key")
